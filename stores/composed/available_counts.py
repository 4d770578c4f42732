"""Counters that may be unavailable: tweets are served without their counts while Redis is unavailable."""

from __future__ import annotations

from collections.abc import Callable, Collection

from events.ids import AccountId, TweetId
from stores.composed.recommendations import MostFollowed
from stores.counts import AccountCounts, Counts, TweetCounts


class AvailableCounts:
    """The Counts port. While `is_unavailable` returns True, the store is not read and all counts are zero.

    The response is then marked as stale (`Consistency: stale`). In the moment before the outage is known, reads raise
    StoreUnavailable: zero counts must not be sent without the mark.
    """

    def __init__(self, counts: Counts, is_unavailable: Callable[[], bool]) -> None:
        self._counts = counts
        self._is_unavailable = is_unavailable

    async def of_tweets(self, tweets: Collection[TweetId]) -> dict[TweetId, TweetCounts]:
        """Return the counters of each tweet; none while the store is unavailable."""
        return {} if self._is_unavailable() else await self._counts.of_tweets(tweets)

    async def of_accounts(self, accounts: Collection[AccountId]) -> dict[AccountId, AccountCounts]:
        """Return the counters of each account; none while the store is unavailable."""
        return {} if self._is_unavailable() else await self._counts.of_accounts(accounts)


class AvailableMostFollowed:
    """The MostFollowed port. It returns no account while the store is known to be unavailable."""

    def __init__(self, most_followed: MostFollowed, is_unavailable: Callable[[], bool]) -> None:
        self._most_followed = most_followed
        self._is_unavailable = is_unavailable

    async def most_followed(self, limit: int) -> list[AccountId]:
        """Return the accounts with the most followers; none while the store is unavailable."""
        return [] if self._is_unavailable() else await self._most_followed.most_followed(limit)
