"""What a page shows of its viewer's own, remembered: who is behind a block or muted, and what the viewer did.

Whom an account blocks is kept by that account, so a page of twenty authors is looked up in twenty sets that other
viewers' pages share, where the store would look into twenty partitions.
"""

from __future__ import annotations

from collections.abc import Collection, Mapping
from typing import Protocol

from events.ids import AccountId, TweetId
from stores.cached.remembered import Remembered
from stores.engagement import NO_MARKS, Marks
from stores.graph import NOBODY_UNSEEN, Barriers, Unseen


def weight_of_barriers(barriers: Barriers) -> int:
    """In accounts."""
    return 1 + len(barriers.blocked) + len(barriers.muted)


class AskedBarriers(Protocol):
    """What barriers are asked of (part of a graph)."""

    async def barriers(self, accounts: Collection[AccountId]) -> dict[AccountId, Barriers]:
        """Those of each account, but for accounts that have too many to be kept. Raises StoreUnavailable."""
        ...

    async def unseen(self, viewer: AccountId, others: Collection[AccountId]) -> Unseen:
        """Those of the others that `viewer` does not see. Raises StoreUnavailable."""
        ...


class AskedMarks(Protocol):
    """What marks are asked of (part of engagement)."""

    async def marks(self, account: AccountId, tweets: Collection[TweetId]) -> dict[TweetId, Marks]:
        """What an account did with each of the tweets, none of those that it did nothing with."""
        ...


class RememberedBarriers:
    """Who is not seen by whom, from `rows` that are remembered and a graph."""

    def __init__(self, rows: Remembered[AccountId, Barriers], graph: AskedBarriers) -> None:
        self._rows = rows
        self._graph = graph

    async def unseen(self, viewer: AccountId, others: Collection[AccountId]) -> Unseen:
        """Those of the others that `viewer` does not see. Raises StoreUnavailable."""
        wanted = {viewer, *others}
        known = await self._rows.of(wanted, self._graph.barriers)
        if len(known) < len(wanted):
            return await self._graph.unseen(viewer, others)
        own = known[viewer]
        blocked = [other for other in others if other in own.blocked or viewer in known[other].blocked]
        muted = own.muted.intersection(others)
        return Unseen(frozenset(blocked), muted) if blocked or muted else NOBODY_UNSEEN


def mark_of(account: AccountId, tweet: TweetId) -> str:
    """The key of what an account did with a tweet."""
    return f"{account}{tweet}"


class RememberedMarks:
    """What accounts did with tweets, from `rows` that are remembered, by `mark_of`, and engagement."""

    def __init__(self, rows: Remembered[str, Marks], engagement: AskedMarks) -> None:
        self._rows = rows
        self._engagement = engagement

    async def marks(self, account: AccountId, tweets: Collection[TweetId]) -> dict[TweetId, Marks]:
        """What an account did with each of the tweets. Raises StoreUnavailable."""
        keys = {mark_of(account, tweet): tweet for tweet in tweets}

        async def ask(missing: list[str]) -> Mapping[str, Marks]:
            done = await self._engagement.marks(account, [keys[key] for key in missing])
            return {key: done.get(keys[key], NO_MARKS) for key in missing}

        found = await self._rows.of(keys, ask)
        return {tweet: found[key] for key, tweet in keys.items()}
