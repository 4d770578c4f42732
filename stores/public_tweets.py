"""The ports of the tweet properties that the public firehose repeats when a tweet is edited."""

from __future__ import annotations

from collections.abc import Collection
from typing import NamedTuple, Protocol

from events.ids import TweetId
from events.tweets import TweetRef


class TweetContext(NamedTuple):
    """The properties of a tweet that an edit does not change and its event does not repeat."""

    reply_to: TweetRef | None = None
    quote_of: TweetRef | None = None
    sensitive: bool = False


PLAIN = TweetContext()
"""The context of a tweet that replies to and quotes nothing. Most tweets are such, and no row is stored for them."""


class PublicTweetRows(Protocol):
    """Rows that the projector writes."""

    def posted(self, tweet: TweetId, context: TweetContext) -> None:
        """Store the context of a tweet that is a reply, a quote or sensitive."""
        ...

    def deleted(self, tweet: TweetId) -> None:
        """Remove a tweet."""
        ...


class PublicTweets(Protocol):
    """Reads of the stream, in the transaction of its batch."""

    async def fetch(self, tweets: Collection[TweetId]) -> None:
        """Load the rows that `context` will need within this batch. Raises StoreUnavailable."""
        ...

    def context(self, tweet: TweetId) -> TweetContext:
        """Return the context with which the tweet was posted."""
        ...
