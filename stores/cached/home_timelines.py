"""A cache of home timelines in a query process: a viewer's newest rows, until an account that the viewer follows acts.

Deliveries are not announced, since there are ten thousand a second. The process learns which accounts posted or
retweeted, and a viewer's rows are current if no followee has since. To check that is one look into a dictionary for
each followee: a tenth of the cost of a read from the store.
"""

from __future__ import annotations

import sys
from collections import OrderedDict
from collections.abc import Collection, Iterable, Mapping
from typing import NamedTuple

from cachetools import FIFOCache, LRUCache

from events.ids import AccountId, ActivityId
from stores.cached.remembered import Remembered
from stores.home_timelines import NEWEST, Entry, HomeTimelines, Viewing

FOLLOWEES = 1_000_000
"""Capacity for followees, of all viewers together; 10 bytes each."""
HEADS = 400_000
"""Capacity for newest rows, of all viewers together; 20 bytes each. It fits 20,000 viewers with 20 rows."""
ENTRIES = 50_000
"""Capacity for the activities of these rows; 400 bytes each. Viewers share them."""
AUTHORS = 100_000
"""The number of authors whose last activity is known."""


class _Head(NamedTuple):
    """The newest rows of a viewer at the time `asked_at`, at most `most`, down to the id `since`."""

    rows: list[Entry]
    most: int
    since: str
    asked_at: int


def _weight(viewing: Viewing) -> int:
    return 1 + len(viewing.followees) + len(viewing.muted)


class RememberedHomeTimelines:
    """A cache over the HomeTimelines port.

    Time is counted in invalidations. A read that began at a time includes all changes announced before it.
    """

    def __init__(self, timelines: HomeTimelines) -> None:
        self._timelines = timelines
        self.viewers: Remembered[AccountId, Viewing] = Remembered(FOLLOWEES, _weight)
        self._heads: LRUCache[AccountId, _Head] = LRUCache(HEADS, lambda head: 1 + len(head.rows))
        self._entries: FIFOCache[ActivityId, Entry] = FIFOCache(ENTRIES)
        self._present: Remembered[ActivityId, bool] = Remembered(ENTRIES)
        self._now = 0
        self._acted: OrderedDict[AccountId, int] = OrderedDict()
        self._unknown_until = 0
        """An account that acted before this time may have been dropped from `_acted`."""
        self.asked = 0
        self.missed = 0

    async def pulled(self) -> frozenset[AccountId]:
        """Return all authors whose tier is not PUSHED. Raises StoreUnavailable."""
        return await self._timelines.pulled()

    async def viewing(self, viewer: AccountId) -> Viewing:
        """Return the viewer's followees and mutes, and the floor of its timeline. Raises StoreUnavailable."""
        return (await self.viewers.of((viewer,), self._ask_viewing))[viewer]

    async def _ask_viewing(self, viewers: list[AccountId]) -> dict[AccountId, Viewing]:
        (viewer,) = viewers
        followees, muted, floor = await self._timelines.viewing(viewer)
        # Interned, so that the id of an account with many followers is one string in all of their sets.
        return {viewer: Viewing([AccountId(sys.intern(account)) for account in followees], muted, floor)}

    async def read(
        self,
        viewer: AccountId,
        rows: tuple[str, str] | None,
        row_limit: int,
        before: Mapping[AccountId, str],
        limit: int,
    ) -> tuple[list[Entry], dict[AccountId, list[Entry]]]:
        """Return the newest rows of a range of the timeline, and the newest entries of accounts.

        Raises StoreUnavailable.
        """
        if rows is None or rows[0] != NEWEST:
            return await self._timelines.read(viewer, rows, row_limit, before, limit)
        self.asked += 1
        since = rows[1]
        kept = self._heads.get(viewer)
        if kept is not None and await self._is_current(viewer, kept) and _answers(kept, row_limit, since):
            found = [entry for entry in kept.rows[:row_limit] if entry.activity >= since]
            pages = (await self._timelines.read(viewer, None, 0, before, limit))[1] if before else {}
            return found, pages
        self.missed += 1
        asked_at = self._now
        found, pages = await self._timelines.read(viewer, rows, row_limit, before, limit)
        self._heads[viewer] = _Head([self._shared(entry) for entry in found], row_limit, since, asked_at)
        return found, pages

    async def _is_current(self, viewer: AccountId, head: _Head) -> bool:
        """Return whether neither the viewer nor a followee has acted since the rows were read."""
        if head.asked_at == self._now:
            return True
        if head.asked_at < self._unknown_until:
            return False
        acted, asked_at = self._acted, head.asked_at
        followees = (await self.viewing(viewer)).followees
        return acted.get(viewer, 0) <= asked_at and not any(acted.get(account, 0) > asked_at for account in followees)

    def _shared(self, entry: Entry) -> Entry:
        """Return the cached entry of the same activity, so that viewers share it."""
        return self._entries.setdefault(entry.activity, entry)

    async def present(self, entries: Collection[Entry]) -> frozenset[ActivityId]:
        """Return the activities that still exist. Raises StoreUnavailable."""
        by_id = {entry.activity: entry for entry in entries}

        async def ask(missing: list[ActivityId]) -> dict[ActivityId, bool]:
            there = await self._timelines.present([by_id[id_] for id_ in missing])
            return {id_: id_ in there for id_ in missing}

        found = await self._present.of(by_id, ask)
        return frozenset(id_ for id_, there in found.items() if there)

    # Invalidation

    def acted(self, accounts: Iterable[AccountId]) -> None:
        """Invalidate the rows of the followers of these accounts, which posted or retweeted."""
        self._now += 1
        for account in accounts:
            self._acted[account] = self._now
            self._acted.move_to_end(account)
        while len(self._acted) > AUTHORS:
            self._unknown_until = max(self._unknown_until, self._acted.popitem(last=False)[1])

    def changed(self, viewers: Iterable[AccountId]) -> None:
        """Invalidate viewers whose followees, mutes or floor changed, and with them their rows."""
        viewers = list(viewers)
        self.viewers.forget(viewers)
        self.acted(viewers)

    def undone(self, activities: Iterable[ActivityId]) -> None:
        """Invalidate retweets that were undone."""
        self._present.forget(activities)

    def clear(self) -> None:
        """Invalidate everything."""
        self._now += 1
        self._unknown_until = self._now
        self.viewers.clear()
        self._heads.clear()
        self._present.clear()


def _answers(head: _Head, row_limit: int, since: str) -> bool:
    """Return whether the cached rows are enough: `row_limit` of them, or all that exist, down to `since`."""
    return head.since <= since and (row_limit <= head.most or len(head.rows) < head.most)
