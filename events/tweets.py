"""Tweets: what was written, edited and deleted. Topic `tweets`, keyed by author."""

from __future__ import annotations

from typing import Annotated

import msgspec

from .entities import Entities
from .event import Event, event
from .ids import AccountId, TweetId
from .media import Attachment


class TweetRef(msgspec.Struct, frozen=True):
    """A tweet and its author: who it was is part of the fact, so that no reader has to look it up."""

    tweet: TweetId
    author: AccountId


class Place(msgspec.Struct, frozen=True, kw_only=True):
    """Where it was written. Degrees, WGS 84; `lat` and `lon` are missing where only a name is known."""

    lat: Annotated[float, msgspec.Meta(ge=-90, le=90)] | None = None
    """Degrees north; null where only a name is known."""
    lon: Annotated[float, msgspec.Meta(ge=-180, le=180)] | None = None
    """Degrees east; null where only a name is known."""
    name: str | None = None
    """What the place is called; null for no name."""


@event(topic="tweets", key="author", version=3, sealed=("text", "entities", "location", "media"), subject="author")
class TweetPosted(Event, frozen=True, kw_only=True):
    """A tweet was written. Version 2 renamed `nsfw` to `sensitive` and brought `content_warning`, 3 `media`.

    `conversation` is the tweet that the conversation began with: itself, unless it is a reply.
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
    """The text was replaced. `version` counts from 1, the text as posted, so the first edit is 2."""

    tweet: TweetId
    author: AccountId
    version: Annotated[int, msgspec.Meta(ge=1)]
    text: str
    entities: Entities


@event(topic="tweets", key="author")
class TweetDeleted(Event, frozen=True, kw_only=True):
    """The author withdrew a tweet, for good. What it replied to and quoted is said again, for those who count."""

    tweet: TweetId
    author: AccountId
    reply_to: TweetRef | None = None
    quote_of: TweetRef | None = None
