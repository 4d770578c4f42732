"""Counters while their store is known to be away, and while it is not known yet."""

import pytest

from stores.composed.available_counts import AvailableCounts, AvailableMostFollowed
from stores.counts import TweetCounts
from stores.sink import StoreUnavailable


class Counters:
    """Counters whose store may be away."""

    away = False

    async def of_tweets(self, tweets):
        return self._answer({tweet: TweetCounts(likes=1) for tweet in tweets})

    async def of_accounts(self, accounts):
        return self._answer({})

    async def most_followed(self, limit):
        return self._answer(["somebody"])

    def _answer(self, answer):
        if self.away:
            raise StoreUnavailable("away")
        return answer


async def test_counts_that_are_there_are_answered():
    counters = Counters()
    counts = AvailableCounts(counters, lambda: False)
    assert await counts.of_tweets(["a"]) == {"a": TweetCounts(likes=1)}
    assert await AvailableMostFollowed(counters, lambda: False).most_followed(3) == ["somebody"]


async def test_zeros_are_answered_only_where_it_is_known_that_the_store_is_away():
    counters = Counters()
    counters.away = True
    with pytest.raises(StoreUnavailable):
        await AvailableCounts(counters, lambda: False).of_tweets(["a"])
    known = AvailableCounts(counters, lambda: True)
    assert (await known.of_tweets(["a"]), await known.of_accounts(["b"])) == ({}, {})
    assert await AvailableMostFollowed(counters, lambda: True).most_followed(3) == []
