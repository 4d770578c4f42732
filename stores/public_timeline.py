"""The port of the public timeline: what everyone posted, newest first.

As on Mastodon's public timelines, it has neither retweets nor replies to others; what an account replies to itself
(a thread) is there. It is filled by no projector of its own: every engine has it as an order of its tweets.
"""

from __future__ import annotations

from typing import Protocol

from events.ids import TweetId

from .pages import Page


class PublicTimeline(Protocol):
    """What the query API reads."""

    async def latest(self, before: str | None, limit: int) -> Page[TweetId]:
        """Everyone's posts that are not deleted, by tweet id."""
        ...
