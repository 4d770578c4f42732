"""The port of engagement: what accounts did with tweets. Likes, retweets, bookmarks, and quotes."""

from __future__ import annotations

from collections.abc import Collection
from typing import Protocol

import msgspec

from events.ids import AccountId, ActivityId, TweetId

from .pages import Page


class Marks(msgspec.Struct, frozen=True, gc=False):
    """What one account did with a tweet."""

    liked: bool = False
    retweeted: bool = False
    bookmarked: bool = False


NO_MARKS = Marks()


class EngagementRows(Protocol):
    """What the projector writes. `at` is the event's id at the time when it happened; lists are ordered by it."""

    def liked(self, actor: AccountId, tweet: TweetId, at: str) -> None:
        """A like is there."""
        ...

    def unliked(self, actor: AccountId, tweet: TweetId) -> None:
        """A like is no longer."""
        ...

    def retweeted(self, actor: AccountId, tweet: TweetId, retweet: ActivityId) -> None:
        """A retweet is there."""
        ...

    def retweet_undone(self, actor: AccountId, tweet: TweetId) -> None:
        """A retweet is no longer."""
        ...

    def bookmarked(self, owner: AccountId, tweet: TweetId, at: str) -> None:
        """A bookmark is there."""
        ...

    def bookmark_removed(self, owner: AccountId, tweet: TweetId) -> None:
        """A bookmark is no longer."""
        ...

    def quoted(self, quoted: TweetId, tweet: TweetId) -> None:
        """`tweet` quotes another."""
        ...

    def quote_deleted(self, quoted: TweetId, tweet: TweetId) -> None:
        """A tweet that quoted another is deleted."""
        ...


class Engagement(Protocol):
    """What the query API reads. Lists are newest first: by when it was done, quotes by when they were posted."""

    async def marks(self, account: AccountId, tweets: Collection[TweetId]) -> dict[TweetId, Marks]:
        """What an account did with each of the tweets; those it did nothing with are left out."""
        ...

    async def likers(self, tweet: TweetId, before: str | None, limit: int) -> Page[AccountId]:
        """Who likes a tweet."""
        ...

    async def retweeters(self, tweet: TweetId, before: str | None, limit: int) -> Page[AccountId]:
        """Who passed a tweet on."""
        ...

    async def quotes(self, tweet: TweetId, before: str | None, limit: int) -> Page[TweetId]:
        """The tweets that quote a tweet."""
        ...

    async def likes(self, account: AccountId, before: str | None, limit: int) -> Page[TweetId]:
        """What an account likes."""
        ...

    async def bookmarks(self, owner: AccountId, before: str | None, limit: int) -> Page[TweetId]:
        """What an account keeps for later."""
        ...
