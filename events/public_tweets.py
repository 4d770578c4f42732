"""The public firehose, derived from tweets. Topic `public-tweets`, keyed by tweet, compacted."""

from __future__ import annotations

from typing import Annotated

import msgspec

from .entities import Entities
from .event import Event, event
from .ids import AccountId, TweetId
from .tweets import TweetRef


@event(topic="public-tweets", key="tweet")
class TweetPublished(Event, frozen=True, kw_only=True):
    """The public part of a tweet, unsealed, with its sentiment. An edit publishes the tweet again."""

    tweet: TweetId
    author: AccountId
    version: Annotated[int, msgspec.Meta(ge=1)]
    text: str
    entities: Entities
    label: str
    score: Annotated[float, msgspec.Meta(ge=-1, le=1)]
    reply_to: TweetRef | None = None
    quote_of: TweetRef | None = None
    sensitive: bool = False


@event(topic="public-tweets", key="tweet")
class TweetRetracted(Event, frozen=True, kw_only=True):
    """The tweet was deleted. In the compacted topic this is the tombstone of its key."""

    tweet: TweetId
