"""Recommendations composed of other ports, for stores that are reached over a network.

Three steps, each one batch for each store: the viewer's followees and the most followed accounts; the newest followees
of the viewer's newest followees; then, for each candidate, whether it exists, whether it is hidden, and its followers.
On Cassandra and Redis that takes about 220 small reads, 200 of them for the 50 lists of the second step, whatever the
size of the graph. Lists that go back for years take more.
"""

from __future__ import annotations

import asyncio
from collections import Counter
from typing import Protocol

from events.ids import AccountId, account_number
from stores.counts import NO_ACCOUNT_COUNTS, Counts
from stores.graph import Graph
from stores.pages import Page
from stores.recommendations import MOST_CANDIDATES, MOST_FRIENDS, MOST_OF_EACH, Candidate, best_of
from stores.users import Users

_MOST_PAGES = 4
"""Pages read of one list.

If most of its follows have ended, fewer accounts are found and the read still stays short.
"""


class MostFollowed(Protocol):
    """The accounts with the most followers."""

    async def most_followed(self, limit: int) -> list[AccountId]:
        """Return the accounts with the most followers, at least one.

        Of equal counts the lowest account number is first.
        """
        ...


class GatheredRecommendations:
    """The Recommendations port over the ports of the read models."""

    def __init__(self, users: Users, graph: Graph, counts: Counts, most_followed: MostFollowed) -> None:
        self._users = users
        self._graph = graph
        self._counts = counts
        self._most_followed = most_followed

    async def for_account(self, account: AccountId, before: str | None, limit: int) -> Page[AccountId]:
        """Return a page of accounts to follow, best first."""
        friends, followees, followed = await asyncio.gather(
            self._newest(account, MOST_FRIENDS),
            self._graph.followees(account),
            self._most_followed.most_followed(MOST_CANDIDATES),
        )
        lists = await asyncio.gather(*(self._newest(friend, MOST_OF_EACH) for friend in friends))
        never = {account, *followees}
        common = Counter(other for list_ in lists for other in list_)
        for followee in followees:
            common.pop(followee, None)
        near = sorted(common, key=lambda other: (-common[other], account_number(other)))[:MOST_CANDIDATES]
        wanted = {*near, *followed} - never
        if not wanted:
            return Page([], None)
        cards, unseen, counts = await asyncio.gather(
            self._users.cards(wanted), self._graph.unseen(account, wanted), self._counts.of_accounts(wanted)
        )
        seen = cards.keys() - unseen.blocked - unseen.muted
        shared = {other: common[other] for other in near}
        candidates = (
            Candidate(other, shared.get(other, 0), counts.get(other, NO_ACCOUNT_COUNTS).followers) for other in seen
        )
        return best_of(candidates, before, limit)

    async def _newest(self, account: AccountId, most: int) -> list[AccountId]:
        """Return the accounts that an account followed last."""
        found: list[AccountId] = []
        position = None
        for _ in range(_MOST_PAGES):
            page = await self._graph.following(account, position, most - len(found))
            found += page.items
            position = page.next
            if position is None or len(found) == most:
                break
        return found
