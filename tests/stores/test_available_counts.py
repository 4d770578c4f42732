"""Counters while their store is known to be unavailable, and while it is not known yet."""

from collections.abc import Collection
from typing import TypeVar

import pytest

from events.ids import AccountId, TweetId
from stores.composed.available_counts import AvailableCounts, AvailableMostFollowed
from stores.counts import AccountCounts, TweetCounts
from stores.sink import StoreUnavailable

T = TypeVar("T")
TWEET, SOMEBODY = TweetId("a"), AccountId("somebody")


class Counters:
    """Counters whose store may be unavailable."""

    unavailable = False

    async def of_tweets(self, tweets: Collection[TweetId]) -> dict[TweetId, TweetCounts]:
        return self._answer({tweet: TweetCounts(likes=1) for tweet in tweets})

    async def of_accounts(self, accounts: Collection[AccountId]) -> dict[AccountId, AccountCounts]:
        return self._answer({})

    async def most_followed(self, limit: int) -> list[AccountId]:
        return self._answer([SOMEBODY])

    def _answer(self, answer: T) -> T:
        if self.unavailable:
            raise StoreUnavailable("unavailable")
        return answer


async def test_counts_that_are_there_are_answered() -> None:
    counters = Counters()
    counts = AvailableCounts(counters, lambda: False)
    assert await counts.of_tweets([TWEET]) == {TWEET: TweetCounts(likes=1)}
    assert await AvailableMostFollowed(counters, lambda: False).most_followed(3) == [SOMEBODY]


async def test_zeros_are_answered_only_where_it_is_known_that_the_store_is_unavailable() -> None:
    counters = Counters()
    counters.unavailable = True
    with pytest.raises(StoreUnavailable):
        await AvailableCounts(counters, lambda: False).of_tweets([TWEET])
    known = AvailableCounts(counters, lambda: True)
    assert (await known.of_tweets([TWEET]), await known.of_accounts([SOMEBODY])) == ({}, {})
    assert await AvailableMostFollowed(counters, lambda: True).most_followed(3) == []
