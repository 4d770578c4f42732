"""The port of the public timeline: the tweets of all accounts, newest first.

As on Mastodon's public timelines, retweets and replies to other accounts are left out; replies to oneself (threads) are
included. No projector fills it: every engine reads it from the rows of tweets.
"""

from __future__ import annotations

from typing import Protocol

from events.ids import TweetId

from .pages import Page


class PublicTimeline(Protocol):
    """Reads for the query API."""

    async def latest(self, before: str | None, limit: int) -> Page[TweetId]:
        """Return a page of all tweets that are not deleted, newest id first."""
        ...
