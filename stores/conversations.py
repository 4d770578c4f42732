"""The port of conversations: the replies to a tweet, and the tweets that a reply answers."""

from __future__ import annotations

from collections.abc import Collection
from typing import Protocol

from events.ids import TweetId

from .pages import Page


class ConversationRows(Protocol):
    """Rows that the projector writes. A deleted reply keeps its place, so that the replies to it stay in the tree."""

    def replied(self, tweet: TweetId, to: TweetId) -> None:
        """Record that `tweet` is a reply to `to`. The row of `to` need not exist yet."""
        ...


class Conversations(Protocol):
    """Reads for the query API."""

    async def ancestors(self, tweet: TweetId, limit: int) -> list[TweetId]:
        """Return the chain of tweets that `tweet` replies to, nearest first, at most `limit`."""
        ...

    async def replies(self, tweet: TweetId, after: str | None, limit: int) -> Page[TweetId]:
        """Return a page of the direct replies to a tweet, oldest first, from the cursor `after` on."""
        ...

    async def first_replies(self, tweets: Collection[TweetId], limit: int) -> dict[TweetId, list[TweetId]]:
        """Return the first `limit` direct replies to each tweet, oldest first. Tweets without replies are left out."""
        ...
