"""The port of conversations: which tweet answers which."""

from __future__ import annotations

from collections.abc import Collection
from typing import Protocol

from events.ids import TweetId

from .pages import Page


class ConversationRows(Protocol):
    """What the projector writes. A deleted reply stays in its place, so that what hangs beneath keeps hanging."""

    def replied(self, tweet: TweetId, to: TweetId) -> None:
        """`tweet` is a reply to another, be that known already or not."""
        ...


class Conversations(Protocol):
    """What the query API reads."""

    async def ancestors(self, tweet: TweetId, limit: int) -> list[TweetId]:
        """What a tweet replies to, what that replies to and so on, nearest first, `limit` at most."""
        ...

    async def replies(self, tweet: TweetId, after: str | None, limit: int) -> Page[TweetId]:
        """The direct replies to a tweet, oldest first: a page goes on after the key it is given."""
        ...

    async def first_replies(self, tweets: Collection[TweetId], limit: int) -> dict[TweetId, list[TweetId]]:
        """The first `limit` direct replies to each of the tweets, oldest first; those without any are left out."""
        ...
