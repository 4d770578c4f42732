"""The trends of a window as they are sent, kept for a moment: a big community's day takes 90 ms to rank."""

from __future__ import annotations

from collections import OrderedDict
from collections.abc import Callable, Sequence

import msgspec

from events.ids import Millis
from rest import resources
from rest.times import rfc3339
from stores.readers import Readers
from stores.trends import WINDOWS, rank

KEPT = 64
"""Answers kept; each has some 3 KB."""
_SHARE = 20
"""An answer is kept 20 times as long as it took: ranking takes a twentieth of the time at most, however many ask."""


class Trend(msgspec.Struct, frozen=True):
    """A tag that is used by more people than is usual for it, as it is mostly written.

    `count` is in how many tweets it is, `authors` by how many people. `expected` is what was to be expected of it, in
    authors, `score` how surprising it is that it has more, in nats. `sample` is the id of a recent tweet with it.
    """

    tag: str
    count: int
    authors: int
    expected: float
    score: float
    sample: resources.Id


class Trends(msgspec.Struct, frozen=True):
    """The trends of a window, most surprising first. `as_of` is when the newest of what is counted was recorded."""

    as_of: resources.Time | None
    window: str
    start: resources.Time
    end: resources.Time
    items: Sequence[Trend]


class Rankings:
    """Ranks windows for whoever asks. `timer` gives seconds."""

    def __init__(self, timer: Callable[[], float]) -> None:
        self._timer = timer
        self._kept: OrderedDict[tuple[str, Millis | None], tuple[float, bytes]] = OrderedDict()

    async def trends(self, readers: Readers, window: str, at: Millis | None, now: Millis) -> bytes:
        """The trends, encoded, of the window that ends at `at`, or now."""
        began = self._timer()
        key = (window, at)
        until, body = self._kept.get(key, (0.0, b""))
        if began < until:
            return body
        body = msgspec.json.encode(await _ranked(readers, window, now if at is None else at))
        ended = self._timer()
        self._kept[key] = (ended + _SHARE * (ended - began), body)
        self._kept.move_to_end(key)
        if len(self._kept) > KEPT:
            self._kept.popitem(last=False)
        return body


async def _ranked(readers: Readers, window: str, end: Millis) -> Trends:
    start = Millis(max(0, end - WINDOWS[window]))
    as_of = await readers.trends.as_of()
    ranked = rank(await readers.trends.numbers(start, end))
    shown = await readers.trends.shown([trend.tag for trend in ranked], start, end)
    return Trends(
        None if as_of is None else rfc3339(as_of),
        window,
        rfc3339(start),
        rfc3339(end),
        [
            Trend(shown[r.tag].written, r.uses, r.authors, r.expected, r.score, shown[r.tag].sample)
            for r in ranked
            if r.tag in shown
        ],
    )
