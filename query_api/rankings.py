"""The trends of a window as the API returns them, cached for a moment: a big community's day takes 90 ms to rank."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Sequence
from typing import Protocol

import msgspec
from cachetools import TLRUCache

from events.ids import Millis
from rest import resources
from rest.times import rfc3339
from stores.readers import Readers
from stores.sink import StoreRefused, StoreUnavailable
from stores.trends import WINDOWS, rank

KEPT_BYTES = 256 * 1024
"""Cached answers together; each has some 3 KB."""
_SHARE = 20
"""An answer is cached 20 times as long as it took, so ranking takes a twentieth of the time at most."""
_UNAVAILABLE_S = 1.0
"""After a failure the shared cache is not used for this long, so only one request a second waits for it in vain."""


class Trend(msgspec.Struct, frozen=True):
    """A tag that more people use than usual, in its most used spelling.

    `count` is the number of tweets with it, `authors` the number of their authors. `expected` is the expected number of
    authors, `score` how surprising the difference is, in nats. `sample` is the id of a recent tweet with it.
    """

    tag: str
    """The tag in its most used spelling."""
    count: int
    """The number of tweets with it."""
    authors: int
    """The number of their authors."""
    expected: float
    """The expected number of authors."""
    score: float
    """How surprising the number of authors is, in nats."""
    sample: resources.Id
    """The id of a recent tweet with it."""


class Trends(msgspec.Struct, frozen=True):
    """The trends of a window, most surprising first. `as_of` is the append time of the newest counted event."""

    as_of: resources.Time | None
    """When the newest counted event was appended; null if there is none."""
    window: str
    """The length of the window."""
    start: resources.Time
    """When it begins."""
    end: resources.Time
    """When it ends; this moment is not part of it."""
    items: Sequence[Trend]
    """The tags, most surprising first."""


class KeptAnswers(Protocol):
    """A cache of answers, for one process or shared by all. It may lose entries at any time."""

    async def get(self, window: str, at: Millis | None) -> bytes | None:
        """Return the cached answer for a window that ends at `at`, or now if None. Raises StoreUnavailable,
        StoreRefused.
        """
        ...

    async def put(self, window: str, at: Millis | None, body: bytes, seconds: float) -> None:
        """Cache an answer for `seconds`. Raises StoreUnavailable, StoreRefused."""
        ...


class LocalAnswers:
    """The KeptAnswers port in memory, for one process. `timer` returns seconds."""

    def __init__(self, timer: Callable[[], float]) -> None:
        self._kept: TLRUCache[tuple[str, Millis | None], tuple[float, bytes]] = TLRUCache(
            KEPT_BYTES, lambda window, kept, now: now + kept[0], timer, lambda kept: len(kept[1])
        )

    async def get(self, window: str, at: Millis | None) -> bytes | None:
        """Return the cached answer for a window; None if it expired."""
        kept = self._kept.get((window, at))
        return None if kept is None else kept[1]

    async def put(self, window: str, at: Millis | None, body: bytes, seconds: float) -> None:
        """Cache an answer and evict the least recently used ones above KEPT_BYTES. A larger answer is not cached."""
        if len(body) <= KEPT_BYTES:
            self._kept[window, at] = (seconds, body)


class Rankings:
    """Ranks windows; concurrent requests for one window share a ranking. `timer` returns seconds.

    While the shared cache `kept` is unavailable, each process uses a cache of its own and retries the shared one later.
    """

    def __init__(self, timer: Callable[[], float], kept: KeptAnswers | None = None) -> None:
        self._timer = timer
        self._local = LocalAnswers(timer)
        self._shared = kept
        self._unavailable_until = 0.0
        self._ranking: dict[tuple[str, Millis | None], asyncio.Future[bytes]] = {}

    async def trends(self, readers: Readers, window: str, at: Millis | None, now: Millis) -> bytes:
        """Return the encoded trends of the window that ends at `at`, or now."""
        body = await self._kept(window, at)
        if body is not None:
            return body
        key = (window, at)
        ranking = self._ranking.get(key)
        if ranking is None:
            # A task of its own, because the first client may disconnect while others wait for the result.
            ranking = self._ranking[key] = asyncio.ensure_future(self._rank(readers, window, at, now))
            ranking.add_done_callback(lambda done: self._ranked(key, done))
        return await asyncio.shield(ranking)

    def _ranked(self, key: tuple[str, Millis | None], done: asyncio.Future[bytes]) -> None:
        del self._ranking[key]
        if not done.cancelled():
            done.exception()  # so that asyncio does not log it if all clients have disconnected

    async def _rank(self, readers: Readers, window: str, at: Millis | None, now: Millis) -> bytes:
        began = self._timer()
        body = msgspec.json.encode(await _ranked(readers, window, now if at is None else at))
        seconds = _SHARE * (self._timer() - began)
        if self._shared is not None and self._timer() >= self._unavailable_until:
            try:
                await self._shared.put(window, at, body, seconds)
                return body
            except (StoreUnavailable, StoreRefused):
                self._unavailable_until = self._timer() + _UNAVAILABLE_S
        await self._local.put(window, at, body, seconds)
        return body

    async def _kept(self, window: str, at: Millis | None) -> bytes | None:
        if self._shared is not None and self._timer() >= self._unavailable_until:
            try:
                return await self._shared.get(window, at)
            except (StoreUnavailable, StoreRefused):
                self._unavailable_until = self._timer() + _UNAVAILABLE_S
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
