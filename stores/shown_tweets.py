"""The port of tweets as a viewer sees them: the properties of a tweet from all read models, in one call.

An adapter reads them in one statement if the tables are in one database, or else in one batch for each store, all at
once.
"""

from __future__ import annotations

from collections.abc import Collection
from typing import NamedTuple, Protocol

from events.ids import AccountId, Millis, TweetId
from events.media import Attachment
from events.tweets import TweetRef

from .counts import TweetCounts
from .engagement import Marks
from .sentiment import Reading
from .users import Card


class ShownTweet(NamedTuple):
    """A tweet as a viewer sees it. `entities` and `location` are JSON as it is sent."""

    author: Card
    muted: bool
    """Whether the viewer mutes the author. The list that shows the tweet decides whether this hides it."""
    text: str
    entities: bytes
    conversation: TweetId
    reply_to: TweetRef | None
    quote_of: TweetRef | None
    location: bytes | None
    sensitive: bool
    content_warning: str | None
    version: int
    edited_at: Millis | None
    counts: TweetCounts
    sentiment: Reading | None
    """None until the tweet has a score."""
    marks: Marks
    """Whether the viewer liked, retweeted and bookmarked it."""
    media: tuple[Attachment, ...] = ()


class ShownTweets(Protocol):
    """Reads for the query API."""

    async def of(self, viewer: AccountId | None, tweets: Collection[TweetId]) -> dict[TweetId, ShownTweet]:
        """Return the tweets that `viewer` may see: not deleted, and without a block between viewer and author."""
        ...
