"""The ports of what the public firehose has to know of a tweet when it is edited."""

from __future__ import annotations

from collections.abc import Collection
from typing import NamedTuple, Protocol

from events.ids import TweetId
from events.tweets import TweetRef


class Context(NamedTuple):
    """What an edit does not change and does not repeat."""

    reply_to: TweetRef | None = None
    quote_of: TweetRef | None = None
    sensitive: bool = False


PLAIN = Context()
"""A tweet that stands for itself: most do, and nothing is kept of them."""


class PublicTweetRows(Protocol):
    """What the projector writes."""

    def posted(self, tweet: TweetId, context: Context) -> None:
        """A tweet is there that replies, quotes or is sensitive."""
        ...

    def deleted(self, tweet: TweetId) -> None:
        """A tweet is gone."""
        ...


class PublicTweets(Protocol):
    """What the stream reads, in the same transaction."""

    async def fetch(self, tweets: Collection[TweetId]) -> None:
        """Have at hand what `context` will be asked for within this batch. Raises StoreUnavailable."""
        ...

    def context(self, tweet: TweetId) -> Context:
        """What was said when the tweet was posted."""
        ...
