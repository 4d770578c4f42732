"""The port of what the public firehose has to remember of a tweet in case it is edited. The stream's own."""

from __future__ import annotations

from typing import NamedTuple, Protocol

from events.ids import TweetId
from events.tweets import TweetRef


class Context(NamedTuple):
    """What an edit does not change and does not repeat."""

    reply_to: TweetRef | None
    quote_of: TweetRef | None
    sensitive: bool


class PublicTweetContexts(Protocol):
    """One row a tweet that replies, quotes or is sensitive; of the others nothing is kept."""

    def put(self, tweet: TweetId, context: Context) -> None:
        """Remember a tweet's."""
        ...

    def get(self, tweet: TweetId) -> Context | None:
        """What was remembered."""
        ...

    def remove(self, tweet: TweetId) -> None:
        """Forget a tweet's, if there is any."""
        ...
