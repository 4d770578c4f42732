"""Tweet events: posting, editing, deleting. Topic `tweets`, keyed by author."""

from __future__ import annotations

from typing import Annotated

import msgspec

from .entities import Entities
from .event import Event, event
from .ids import AccountId, TweetId
from .media import Attachment


class TweetRef(msgspec.Struct, frozen=True):
    """A reference to a tweet. It includes the author, so that no reader has to look it up."""

    tweet: TweetId
    author: AccountId


class Place(msgspec.Struct, frozen=True, kw_only=True):
    """The location of a tweet, in degrees (WGS 84). `lat` and `lon` are missing if only a name is known."""

    lat: Annotated[float, msgspec.Meta(ge=-90, le=90)] | None = None
    """Degrees north; null if only a name is known."""
    lon: Annotated[float, msgspec.Meta(ge=-180, le=180)] | None = None
    """Degrees east; null if only a name is known."""
    name: str | None = None
    """The name of the place; null if it has none."""


@event(topic="tweets", key="author", version=3, sealed=("text", "entities", "location", "media"), subject="author")
class TweetPosted(Event, frozen=True, kw_only=True):
    """A tweet was posted. Version 2 renamed `nsfw` to `sensitive` and added `content_warning`; version 3 added `media`.

    `conversation` is the first tweet of the conversation: the tweet itself, unless it is a reply.
    """

    tweet: TweetId
    author: AccountId
    text: str
    entities: Entities
    conversation: TweetId
    reply_to: TweetRef | None = None
    quote_of: TweetRef | None = None
    location: Place | None = None
    sensitive: bool = False
    content_warning: str | None = None
    imported: bool = False
    media: tuple[Attachment, ...] = ()


@event(topic="tweets", key="author", sealed=("text", "entities"), subject="author")
class TweetEdited(Event, frozen=True, kw_only=True):
    """The text was replaced. The posted text is version 1, so the first edit has `version` 2."""

    tweet: TweetId
    author: AccountId
    version: Annotated[int, msgspec.Meta(ge=1)]
    text: str
    entities: Entities


@event(topic="tweets", key="author")
class TweetDeleted(Event, frozen=True, kw_only=True):
    """The author deleted a tweet. `reply_to` and `quote_of` are repeated, for the counters of replies and quotes."""

    tweet: TweetId
    author: AccountId
    reply_to: TweetRef | None = None
    quote_of: TweetRef | None = None
