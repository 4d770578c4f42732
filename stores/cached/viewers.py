"""Caches of a viewer's own rows: blocks, mutes, and marks on tweets.

Blocks are cached by the account that made them, so a page with twenty authors is looked up in twenty sets that the
pages of other viewers share. The store would read twenty partitions.
"""

from __future__ import annotations

from collections.abc import Collection, Mapping
from typing import Protocol

from events.ids import AccountId, TweetId
from stores.cached.remembered import Remembered
from stores.engagement import NO_MARKS, Marks
from stores.graph import NOBODY_UNSEEN, Barriers, Unseen


def weight_of_barriers(barriers: Barriers) -> int:
    """Return the weight of barriers in a cache: the number of accounts, plus one."""
    return 1 + len(barriers.blocked) + len(barriers.muted)


class AskedBarriers(Protocol):
    """The part of Graph from which barriers are read."""

    async def barriers(self, accounts: Collection[AccountId]) -> dict[AccountId, Barriers]:
        """Return the blocks and mutes of each account, without accounts that have too many. Raises StoreUnavailable."""
        ...

    async def unseen(self, viewer: AccountId, others: Collection[AccountId]) -> Unseen:
        """Return the accounts among `others` that are hidden from `viewer`. Raises StoreUnavailable."""
        ...


class AskedMarks(Protocol):
    """The part of Engagement from which marks are read."""

    async def marks(self, account: AccountId, tweets: Collection[TweetId]) -> dict[TweetId, Marks]:
        """Return the account's marks on each tweet. Tweets without any are left out."""
        ...


class RememberedBarriers:
    """Tells which accounts are hidden from a viewer, from cached `rows`; from the graph if those are not enough."""

    def __init__(self, rows: Remembered[AccountId, Barriers], graph: AskedBarriers) -> None:
        self._rows = rows
        self._graph = graph

    async def unseen(self, viewer: AccountId, others: Collection[AccountId]) -> Unseen:
        """Return the accounts among `others` that are hidden from `viewer`. Raises StoreUnavailable."""
        wanted = {viewer, *others}
        known = await self._rows.of(wanted, self._graph.barriers)
        if len(known) < len(wanted):
            return await self._graph.unseen(viewer, others)
        own = known[viewer]
        blocked = [other for other in others if other in own.blocked or viewer in known[other].blocked]
        muted = own.muted.intersection(others)
        return Unseen(frozenset(blocked), muted) if blocked or muted else NOBODY_UNSEEN


def mark_of(account: AccountId, tweet: TweetId) -> str:
    """Return the cache key of an account's marks on a tweet."""
    return f"{account}{tweet}"


class RememberedMarks:
    """A cache of marks: `rows` by `mark_of`, filled from engagement."""

    def __init__(self, rows: Remembered[str, Marks], engagement: AskedMarks) -> None:
        self._rows = rows
        self._engagement = engagement

    async def marks(self, account: AccountId, tweets: Collection[TweetId]) -> dict[TweetId, Marks]:
        """Return the account's marks on each tweet. Raises StoreUnavailable."""
        keys = {mark_of(account, tweet): tweet for tweet in tweets}

        async def ask(missing: list[str]) -> Mapping[str, Marks]:
            done = await self._engagement.marks(account, [keys[key] for key in missing])
            return {key: done.get(keys[key], NO_MARKS) for key in missing}

        found = await self._rows.of(keys, ask)
        return {tweet: found[key] for key, tweet in keys.items()}
