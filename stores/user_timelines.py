"""The port of user timelines: the tweets and retweets of each account."""

from __future__ import annotations

from typing import Protocol

import msgspec

from events.ids import AccountId, ActivityId, TweetId

from .pages import Page


class Activity(msgspec.Struct, frozen=True, gc=False):
    """One item of a timeline: a tweet, and the account `by` that posted or retweeted it.

    Timelines are ordered by `id`, newest first.
    """

    id: ActivityId
    tweet: TweetId
    by: AccountId
    retweet: bool


class UserTimelineRows(Protocol):
    """Rows that the projector writes."""

    def posted(self, author: AccountId, tweet: TweetId, reply_to_author: AccountId | None) -> None:
        """Add a posted tweet. If `reply_to_author` is given, the tweet is a reply."""
        ...

    def deleted(self, author: AccountId, tweet: TweetId) -> None:
        """Remove a deleted tweet."""
        ...

    def retweeted(self, actor: AccountId, retweet: ActivityId, tweet: TweetId) -> None:
        """Add a retweet."""
        ...

    def undone(self, actor: AccountId, retweet: ActivityId) -> None:
        """Remove a retweet that was undone."""
        ...


class UserTimelines(Protocol):
    """Reads for the query API, newest first."""

    async def all(self, account: AccountId, before: str | None, limit: int) -> Page[Activity]:
        """Return a page of the account's tweets and retweets."""
        ...

    async def without_replies(self, account: AccountId, before: str | None, limit: int) -> Page[Activity]:
        """Return the same without replies to other accounts. Replies to itself (threads) are included."""
        ...
