"""The port of user timelines: what each account posted and passed on."""

from __future__ import annotations

from typing import Protocol

import msgspec

from events.ids import AccountId, ActivityId, TweetId

from .pages import Page


class Activity(msgspec.Struct, frozen=True, gc=False):
    """One item of a timeline: a tweet, and by whom it was posted (`by` is its author) or retweeted.

    `id` is what timelines are ordered by, newest first.
    """

    id: ActivityId
    tweet: TweetId
    by: AccountId
    retweet: bool


class UserTimelineRows(Protocol):
    """What the projector writes."""

    def posted(self, author: AccountId, tweet: TweetId, reply_to_author: AccountId | None) -> None:
        """The account posted a tweet; it is a reply where the one replied to is given."""
        ...

    def deleted(self, author: AccountId, tweet: TweetId) -> None:
        """The account deleted it."""
        ...

    def retweeted(self, actor: AccountId, retweet: ActivityId, tweet: TweetId) -> None:
        """The account passed a tweet on."""
        ...

    def undone(self, actor: AccountId, retweet: ActivityId) -> None:
        """The account took the retweet back."""
        ...


class UserTimelines(Protocol):
    """What the query API reads, newest first."""

    async def all(self, account: AccountId, before: str | None, limit: int) -> Page[Activity]:
        """Everything that an account posted and passed on."""
        ...

    async def without_replies(self, account: AccountId, before: str | None, limit: int) -> Page[Activity]:
        """The same less its replies to others; what it replies to itself (a thread) is there."""
        ...
