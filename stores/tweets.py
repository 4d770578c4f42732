"""The port of tweets: each by its id, with all its versions."""

from __future__ import annotations

from collections.abc import Collection
from typing import NamedTuple, Protocol

import msgspec

from events.entities import Entities
from events.ids import AccountId, Millis, TweetId
from events.media import Attachment
from events.tweets import TweetPosted, TweetRef


class Tweet(msgspec.Struct, frozen=True, gc=False):
    """A tweet. `entities` and `location` are JSON as it is sent. Of a deleted tweet only the references remain."""

    id: TweetId
    author: AccountId
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
    deleted: bool
    media: tuple[Attachment, ...] = ()


class Version(NamedTuple):
    """One version of a tweet's text. Version 1 is the text as posted."""

    version: int
    text: str
    entities: bytes
    at: Millis


class TweetRows(Protocol):
    """Rows that the projector writes."""

    def posted(self, event: TweetPosted) -> None:
        """Add a tweet."""
        ...

    def edited(self, tweet: TweetId, version: int, text: str, entities: Entities, at: Millis) -> None:
        """Replace the text of a tweet and keep the previous version."""
        ...

    def deleted(self, tweet: TweetId) -> None:
        """Mark a tweet as deleted and remove its texts."""
        ...


class Tweets(Protocol):
    """Reads for the query API."""

    async def by_ids(self, tweets: Collection[TweetId]) -> dict[TweetId, Tweet]:
        """Return the tweets, deleted ones included. Unknown ids are left out."""
        ...

    async def history(self, tweet: TweetId) -> list[Version]:
        """Return all versions of a tweet, oldest first; none if it is deleted or unknown."""
        ...
