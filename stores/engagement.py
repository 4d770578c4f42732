"""The port of engagement: likes, retweets, bookmarks and quotes of tweets."""

from __future__ import annotations

from collections.abc import Collection
from typing import Protocol

import msgspec

from events.ids import AccountId, ActivityId, TweetId

from .pages import Page


class Marks(msgspec.Struct, frozen=True, gc=False):
    """What one account did with a tweet: whether it liked, retweeted and bookmarked it."""

    liked: bool = False
    retweeted: bool = False
    bookmarked: bool = False


NO_MARKS = Marks()


class EngagementRows(Protocol):
    """Rows that the projector writes. Lists are ordered by `at`: the event's id, moved to the time when it happened."""

    def liked(self, actor: AccountId, tweet: TweetId, at: str) -> None:
        """Add a like."""
        ...

    def unliked(self, actor: AccountId, tweet: TweetId) -> None:
        """Remove a like."""
        ...

    def retweeted(self, actor: AccountId, tweet: TweetId, retweet: ActivityId) -> None:
        """Add a retweet."""
        ...

    def retweet_undone(self, actor: AccountId, tweet: TweetId) -> None:
        """Remove a retweet."""
        ...

    def bookmarked(self, owner: AccountId, tweet: TweetId, at: str) -> None:
        """Add a bookmark."""
        ...

    def bookmark_removed(self, owner: AccountId, tweet: TweetId) -> None:
        """Remove a bookmark."""
        ...

    def quoted(self, quoted: TweetId, tweet: TweetId) -> None:
        """Record that `tweet` quotes `quoted`."""
        ...

    def quote_deleted(self, quoted: TweetId, tweet: TweetId) -> None:
        """Remove the quote: `tweet`, which quoted `quoted`, was deleted."""
        ...


class Engagement(Protocol):
    """Reads for the query API. Lists are newest first, by the time of the like, retweet, bookmark or quote."""

    async def marks(self, account: AccountId, tweets: Collection[TweetId]) -> dict[TweetId, Marks]:
        """Return the account's marks on each tweet. Tweets without any are left out."""
        ...

    async def likers(self, tweet: TweetId, before: str | None, limit: int) -> Page[AccountId]:
        """Return a page of the accounts that like a tweet."""
        ...

    async def retweeters(self, tweet: TweetId, before: str | None, limit: int) -> Page[AccountId]:
        """Return a page of the accounts that retweeted a tweet."""
        ...

    async def quotes(self, tweet: TweetId, before: str | None, limit: int) -> Page[TweetId]:
        """Return a page of the tweets that quote a tweet."""
        ...

    async def likes(self, account: AccountId, before: str | None, limit: int) -> Page[TweetId]:
        """Return a page of the tweets that an account likes."""
        ...

    async def bookmarks(self, owner: AccountId, before: str | None, limit: int) -> Page[TweetId]:
        """Return a page of the tweets that an account has bookmarked."""
        ...
