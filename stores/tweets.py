"""The port of tweets: each by its id, with every text that it had."""

from __future__ import annotations

from collections.abc import Collection
from typing import NamedTuple, Protocol

import msgspec

from events.entities import Entities
from events.ids import AccountId, Millis, TweetId
from events.media import Attachment
from events.tweets import TweetPosted, TweetRef


class Tweet(msgspec.Struct, frozen=True, gc=False):
    """A tweet. `entities` and `location` are JSON as it is sent. Of a deleted one only the references are left."""

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
    """One text that a tweet had; `version` 1 is the one it was posted with."""

    version: int
    text: str
    entities: bytes
    at: Millis


class TweetRows(Protocol):
    """What the projector writes."""

    def posted(self, event: TweetPosted) -> None:
        """A tweet is there."""
        ...

    def edited(self, tweet: TweetId, version: int, text: str, entities: Entities, at: Millis) -> None:
        """A tweet has another text; the one before is kept."""
        ...

    def deleted(self, tweet: TweetId) -> None:
        """A tweet is gone, its texts with it; that it was there is remembered."""
        ...


class Tweets(Protocol):
    """What the query API reads."""

    async def by_ids(self, tweets: Collection[TweetId]) -> dict[TweetId, Tweet]:
        """Those of the tweets that there are or were."""
        ...

    async def history(self, tweet: TweetId) -> list[Version]:
        """Every text that a tweet had, oldest first; none where it is deleted or unknown."""
        ...
