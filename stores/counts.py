"""The port of counters: replies, retweets and likes of a tweet, followers of an account, and so on."""

from __future__ import annotations

from collections.abc import Collection
from typing import Literal, NamedTuple, Protocol

import msgspec

from events.ids import AccountId, TweetId

TweetCounter = Literal["replies", "retweets", "quotes", "likes", "bookmarks"]
AccountCounter = Literal["followers", "following", "tweets"]


class TweetCounts(msgspec.Struct, frozen=True, gc=False):
    """The counters of one tweet. Deleted replies and quotes are not counted."""

    replies: int = 0
    retweets: int = 0
    quotes: int = 0
    likes: int = 0
    bookmarks: int = 0


class AccountCounts(NamedTuple):
    """The counters of one account. `tweets` counts its tweets that are not deleted, replies included."""

    followers: int = 0
    following: int = 0
    tweets: int = 0


NO_TWEET_COUNTS = TweetCounts()
NO_ACCOUNT_COUNTS = AccountCounts()


class CountRows(Protocol):
    """Changes that the projector writes. They commute: a counter is the sum of its changes, in any order."""

    def tweet(self, tweet: TweetId, counter: TweetCounter, change: int) -> None:
        """Add `change` to a counter of a tweet. The tweet need not be known yet."""
        ...

    def account(self, account: AccountId, counter: AccountCounter, change: int) -> None:
        """Add `change` to a counter of an account. The account need not be known yet."""
        ...


class Counts(Protocol):
    """Reads for the query API. An id whose counters are all zero may be left out of the answer."""

    async def of_tweets(self, tweets: Collection[TweetId]) -> dict[TweetId, TweetCounts]:
        """Return the counters of each tweet."""
        ...

    async def of_accounts(self, accounts: Collection[AccountId]) -> dict[AccountId, AccountCounts]:
        """Return the counters of each account."""
        ...
