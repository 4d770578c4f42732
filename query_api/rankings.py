"""The trends of a window as they are sent, kept for a moment: a big community's day takes 90 ms to rank."""

from __future__ import annotations

import asyncio
from collections import OrderedDict
from collections.abc import Callable, Sequence
from typing import Protocol

import msgspec

from events.ids import Millis
from rest import resources
from rest.times import rfc3339
from stores.readers import Readers
from stores.sink import StoreRefused, StoreUnavailable
from stores.trends import WINDOWS, rank

KEPT = 64
"""Answers kept; each has some 3 KB."""
_SHARE = 20
"""An answer is kept 20 times as long as it took: ranking takes a twentieth of the time at most, however many ask."""
_AWAY_S = 1.0
"""How long a store that did not answer is not asked again: only one answer a second waits in vain."""


class Trend(msgspec.Struct, frozen=True):
    """A tag that is used by more people than is usual for it, as it is mostly written.

    `count` is in how many tweets it is, `authors` by how many people. `expected` is what was to be expected of it, in
    authors, `score` how surprising it is that it has more, in nats. `sample` is the id of a recent tweet with it.
    """

    tag: str
    """As it is mostly written."""
    count: int
    """In how many tweets it is."""
    authors: int
    """By how many people."""
    expected: float
    """What was to be expected of it, in authors."""
    score: float
    """How surprising it is that it has more, in nats."""
    sample: resources.Id
    """The id of a recent tweet with it."""


class Trends(msgspec.Struct, frozen=True):
    """The trends of a window, most surprising first. `as_of` is when the newest of what is counted was recorded."""

    as_of: resources.Time | None
    """When the newest of what is counted was recorded; null where there is nothing yet."""
    window: str
    """How long the window is."""
    start: resources.Time
    """When it begins."""
    end: resources.Time
    """When it ends; what happens then is not part of it."""
    items: Sequence[Trend]
    """The most surprising first."""


class KeptAnswers(Protocol):
    """Where answers are kept, for one process or for all. Whoever keeps them may lose them at any time."""

    async def get(self, window: str, at: Millis | None) -> bytes | None:
        """The answer for a window that ends at a moment, or now. Raises StoreUnavailable."""
        ...

    async def put(self, window: str, at: Millis | None, body: bytes, seconds: float) -> None:
        """Keep an answer for some time. Raises StoreUnavailable."""
        ...


class LocalAnswers:
    """The KeptAnswers port in memory, for one process. `timer` gives seconds."""

    def __init__(self, timer: Callable[[], float]) -> None:
        self._timer = timer
        self._kept: OrderedDict[tuple[str, Millis | None], tuple[float, bytes]] = OrderedDict()

    async def get(self, window: str, at: Millis | None) -> bytes | None:
        """The answer for a window."""
        until, body = self._kept.get((window, at), (0.0, b""))
        return body if self._timer() < until else None

    async def put(self, window: str, at: Millis | None, body: bytes, seconds: float) -> None:
        """Keep an answer; the one that was kept first is let go."""
        self._kept[window, at] = (self._timer() + seconds, body)
        self._kept.move_to_end((window, at))
        if len(self._kept) > KEPT:
            self._kept.popitem(last=False)


class Rankings:
    """Ranks windows for whoever asks, each once at a time. `timer` gives seconds.

    While the store of `kept` answers is away, each process keeps its own, and asks the store again after a while.
    """

    def __init__(self, timer: Callable[[], float], kept: KeptAnswers | None = None) -> None:
        self._timer = timer
        self._local = LocalAnswers(timer)
        self._shared = kept
        self._away_until = 0.0
        self._ranking: dict[tuple[str, Millis | None], asyncio.Future[bytes]] = {}

    async def trends(self, readers: Readers, window: str, at: Millis | None, now: Millis) -> bytes:
        """The trends, encoded, of the window that ends at `at`, or now."""
        body = await self._kept(window, at)
        if body is not None:
            return body
        key = (window, at)
        ranking = self._ranking.get(key)
        if ranking is None:
            # A task of its own: who asked first may leave, and the others wait for it.
            ranking = self._ranking[key] = asyncio.ensure_future(self._rank(readers, window, at, now))
            ranking.add_done_callback(lambda done: self._ranked(key, done))
        return await asyncio.shield(ranking)

    def _ranked(self, key: tuple[str, Millis | None], done: asyncio.Future[bytes]) -> None:
        del self._ranking[key]
        if not done.cancelled():
            done.exception()  # seen, even if all who asked have left

    async def _rank(self, readers: Readers, window: str, at: Millis | None, now: Millis) -> bytes:
        began = self._timer()
        body = msgspec.json.encode(await _ranked(readers, window, now if at is None else at))
        seconds = _SHARE * (self._timer() - began)
        if self._shared is not None and self._timer() >= self._away_until:
            try:
                await self._shared.put(window, at, body, seconds)
                return body
            except (StoreUnavailable, StoreRefused):
                self._away_until = self._timer() + _AWAY_S
        await self._local.put(window, at, body, seconds)
        return body

    async def _kept(self, window: str, at: Millis | None) -> bytes | None:
        if self._shared is not None and self._timer() >= self._away_until:
            try:
                return await self._shared.get(window, at)
            except (StoreUnavailable, StoreRefused):
                self._away_until = self._timer() + _AWAY_S
        return await self._local.get(window, at)


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
