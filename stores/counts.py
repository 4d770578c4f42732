"""The port of counters: how often something was done with a tweet, and how much there is of an account."""

from __future__ import annotations

from collections.abc import Collection
from typing import Literal, NamedTuple, Protocol

import msgspec

from events.ids import AccountId, TweetId

TweetCounter = Literal["replies", "retweets", "quotes", "likes", "bookmarks"]
AccountCounter = Literal["followers", "following", "tweets"]


class TweetCounts(msgspec.Struct, frozen=True, gc=False):
    """What others did with a tweet. Replies and quotes that were deleted count no more."""

    replies: int = 0
    retweets: int = 0
    quotes: int = 0
    likes: int = 0
    bookmarks: int = 0


class AccountCounts(NamedTuple):
    """How much there is of an account. `tweets` are those posted and not deleted, replies among them."""

    followers: int = 0
    following: int = 0
    tweets: int = 0


NO_TWEET_COUNTS = TweetCounts()
NO_ACCOUNT_COUNTS = AccountCounts()


class CountRows(Protocol):
    """What the projector writes. Changes commute: a counter is the sum of them, whatever their order."""

    def tweet(self, tweet: TweetId, counter: TweetCounter, change: int) -> None:
        """A counter of a tweet moves, be the tweet known already or not."""
        ...

    def account(self, account: AccountId, counter: AccountCounter, change: int) -> None:
        """A counter of an account moves, be the account known already or not."""
        ...


class Counts(Protocol):
    """What the query API reads. Where nothing was ever counted, the answer leaves it out: it is zero."""

    async def of_tweets(self, tweets: Collection[TweetId]) -> dict[TweetId, TweetCounts]:
        """The counters of tweets."""
        ...

    async def of_accounts(self, accounts: Collection[AccountId]) -> dict[AccountId, AccountCounts]:
        """The counters of accounts."""
        ...
