"""Counters that may be away: a tweet without its numbers is better than none."""

from __future__ import annotations

from collections.abc import Callable, Collection

from events.ids import AccountId, TweetId
from stores.composed.recommendations import MostFollowed
from stores.counts import AccountCounts, Counts, TweetCounts


class AvailableCounts:
    """The Counts port. While it is known that the store is away, `is_away`, nothing is asked and all counts are zero.

    Whoever reads is told then (`Consistency: stale`). Until it is known, which takes a moment, StoreUnavailable is
    raised: an answer with zeros must not look like any other.
    """

    def __init__(self, counts: Counts, is_away: Callable[[], bool]) -> None:
        self._counts = counts
        self._is_away = is_away

    async def of_tweets(self, tweets: Collection[TweetId]) -> dict[TweetId, TweetCounts]:
        """The counters of tweets."""
        return {} if self._is_away() else await self._counts.of_tweets(tweets)

    async def of_accounts(self, accounts: Collection[AccountId]) -> dict[AccountId, AccountCounts]:
        """The counters of accounts."""
        return {} if self._is_away() else await self._counts.of_accounts(accounts)


class AvailableMostFollowed:
    """The MostFollowed port: nobody, while it is known that the store is away."""

    def __init__(self, most_followed: MostFollowed, is_away: Callable[[], bool]) -> None:
        self._most_followed = most_followed
        self._is_away = is_away

    async def most_followed(self, limit: int) -> list[AccountId]:
        """The accounts with the most followers."""
        return [] if self._is_away() else await self._most_followed.most_followed(limit)
