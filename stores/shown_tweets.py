"""The port of tweets as someone sees them: everything that is sent of a tweet, from all read models, in one question.

Which stores that takes is the adapter's affair: one statement where they are tables side by side, a batch a store,
all at once, where a network lies between.
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
    """By the viewer is the author; whether that hides the tweet is for the list that it is in."""
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
    """None until it is scored."""
    marks: Marks
    """What the viewer did with it."""
    media: tuple[Attachment, ...] = ()


class ShownTweets(Protocol):
    """What the query API reads."""

    async def of(self, viewer: AccountId | None, tweets: Collection[TweetId]) -> dict[TweetId, ShownTweet]:
        """Those of the tweets that `viewer` may see: neither deleted nor behind a block, whoever made it."""
        ...
