"""Home timelines as a query process remembers them: a viewer's newest rows, until somebody followed does something.

Nobody tells a process of the rows that are delivered, ten thousand a second. It is told who has posted: rows of a
viewer are what they were as long as none of those whom the viewer follows has since. That is a look into a dictionary
for each of them, a tenth of what asking the store for rows takes.
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
"""Those of all viewers together, 10 bytes each."""
HEADS = 400_000
"""Newest rows of all viewers together, 20 bytes each: those of 20,000 viewers with 20 rows."""
ENTRIES = 50_000
"""Activities in them, 400 bytes each however many viewers have them."""
AUTHORS = 100_000
"""Authors of whom it is known when they did something last."""


class _Head(NamedTuple):
    """The newest rows of a viewer that there were at a time, `most` at most."""

    rows: list[Entry]
    most: int
    since: str
    asked_at: int


def _weight(viewing: Viewing) -> int:
    return 1 + len(viewing.followees) + len(viewing.muted)


class RememberedHomeTimelines:
    """The HomeTimelines port over another one.

    Time is counted in what was told: what was asked for at a time has all that was told before.
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
        """Before this somebody may have acted who is no longer in `_acted`."""
        self.asked = 0
        self.missed = 0

    async def pulled(self) -> frozenset[AccountId]:
        """All authors whose tier is not PUSHED. Raises StoreUnavailable."""
        return await self._timelines.pulled()

    async def viewing(self, viewer: AccountId) -> Viewing:
        """Whom the viewer follows and mutes, and the floor of its timeline. Raises StoreUnavailable."""
        return (await self.viewers.of((viewer,), self._ask_viewing))[viewer]

    async def _ask_viewing(self, viewers: list[AccountId]) -> dict[AccountId, Viewing]:
        (viewer,) = viewers
        followees, muted, floor = await self._timelines.viewing(viewer)
        # Accounts that many follow are one text in all of their sets.
        return {viewer: Viewing([AccountId(sys.intern(account)) for account in followees], muted, floor)}

    async def read(
        self,
        viewer: AccountId,
        rows: tuple[str, str] | None,
        row_limit: int,
        before: Mapping[AccountId, str],
        limit: int,
    ) -> tuple[list[Entry], dict[AccountId, list[Entry]]]:
        """Of the viewer's timeline the newest rows of a range, of each account its newest. Raises StoreUnavailable."""
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
        """Whether nobody did anything since that could have come into the rows."""
        if head.asked_at == self._now:
            return True
        if head.asked_at < self._unknown_until:
            return False
        acted, asked_at = self._acted, head.asked_at
        followees = (await self.viewing(viewer)).followees
        return acted.get(viewer, 0) <= asked_at and not any(acted.get(account, 0) > asked_at for account in followees)

    def _shared(self, entry: Entry) -> Entry:
        """The same entry in every viewer's rows."""
        return self._entries.setdefault(entry.activity, entry)

    async def present(self, entries: Collection[Entry]) -> frozenset[ActivityId]:
        """Those of the activities that are still there. Raises StoreUnavailable."""
        by_id = {entry.activity: entry for entry in entries}

        async def ask(missing: list[ActivityId]) -> dict[ActivityId, bool]:
            there = await self._timelines.present([by_id[id_] for id_ in missing])
            return {id_: id_ in there for id_ in missing}

        found = await self._present.of(by_id, ask)
        return frozenset(id_ for id_, there in found.items() if there)

    # What it is told

    def acted(self, accounts: Iterable[AccountId]) -> None:
        """These have posted something, or passed it on: rows of those who follow them are outdated."""
        self._now += 1
        for account in accounts:
            self._acted[account] = self._now
            self._acted.move_to_end(account)
        while len(self._acted) > AUTHORS:
            self._unknown_until = max(self._unknown_until, self._acted.popitem(last=False)[1])

    def changed(self, viewers: Iterable[AccountId]) -> None:
        """These follow or mute others than before, or have another floor: more rows may belong to theirs, or fewer."""
        viewers = list(viewers)
        self.viewers.forget(viewers)
        self.acted(viewers)

    def undone(self, activities: Iterable[ActivityId]) -> None:
        """These are no longer there."""
        self._present.forget(activities)

    def clear(self) -> None:
        """Anything may be outdated."""
        self._now += 1
        self._unknown_until = self._now
        self.viewers.clear()
        self._heads.clear()
        self._present.clear()


def _answers(head: _Head, row_limit: int, since: str) -> bool:
    """Whether the rows hold what is asked for: as many, or all that there are, down to where it is asked."""
    return head.since <= since and (row_limit <= head.most or len(head.rows) < head.most)
