"""The shapes of the REST resources, as msgspec structs: encoded once, not validated on the way out.

Both APIs use them, so that the tweet that `POST /tweets` answers with is shaped like the one that is read.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Annotated

import msgspec
from msgspec import Meta

from events.entities import Entities
from events.media import MEDIA_TYPES, Attachment
from events.tweets import Place

Id = Annotated[str, Meta(extra_json_schema={"format": "uuid"})]
Time = Annotated[str, Meta(extra_json_schema={"format": "date-time"})]
Label = Annotated[str, Meta(extra_json_schema={"enum": ["positive", "neutral", "negative"]})]
Role = Annotated[str, Meta(extra_json_schema={"enum": ["user", "analyst", "moderator", "admin"]})]
NotificationKind = Annotated[
    str, Meta(extra_json_schema={"enum": ["like", "retweet", "reply", "quote", "follow", "mention"]})
]


Address = Annotated[str, Meta(extra_json_schema={"format": "uri-reference"})]
"""A reference to be resolved against the address of the API (RFC 3986, 5)."""
MediaType = Annotated[str, Meta(extra_json_schema={"enum": list(MEDIA_TYPES)})]
MediaState = Annotated[str, Meta(extra_json_schema={"enum": ["waiting", "ready"]})]


class Author(msgspec.Struct, frozen=True, gc=False):
    """An account as it stands beside a tweet or in a list of few words."""

    id: Id
    username: str
    display_name: str
    verified: bool = False
    avatar_url: Address | None = None


class Reference(msgspec.Struct, frozen=True, gc=False):
    """A tweet that is replied to, and its author."""

    id: Id
    author_id: Id


class Counts(msgspec.Struct, frozen=True, gc=False):
    """What others did with a tweet."""

    replies: int = 0
    retweets: int = 0
    quotes: int = 0
    likes: int = 0
    bookmarks: int = 0


class Sentiment(msgspec.Struct, frozen=True, gc=False):
    """How a tweet reads: `negative`, `neutral` or `positive`, and a score in [-1, 1]."""

    label: Label
    score: float


class TweetViewer(msgspec.Struct, frozen=True, gc=False):
    """What the one who asks did with a tweet."""

    liked: bool = False
    retweeted: bool = False
    bookmarked: bool = False


class Quote(msgspec.Struct, frozen=True, gc=False):
    """The tweet that is quoted. `tweet` is missing in answers to writes, and where it is deleted or hidden from you."""

    id: Id
    author_id: Id
    tweet: Tweet | None = None


class Tweet(msgspec.Struct, frozen=True, gc=False):
    """A tweet. Offsets in `entities` count code points. `sentiment` is null until the tweet has been scored.

    `viewer` is null for those who are not signed in.
    """

    id: Id
    author: Author
    text: str
    entities: Entities | msgspec.Raw
    created_at: Time
    conversation_id: Id
    version: int = 1
    edited_at: Time | None = None
    location: Place | msgspec.Raw | None = None
    sensitive: bool = False
    content_warning: str | None = None
    reply_to: Reference | None = None
    quote: Quote | None = None
    counts: Counts = Counts()
    sentiment: Sentiment | None = None
    viewer: TweetViewer | None = None
    media: list[TweetMedium] = []


class TweetMedium(msgspec.Struct, frozen=True, gc=False):
    """A picture or a video that a tweet shows. `width` and `height` are pixels, null for videos."""

    id: Id
    content_type: MediaType
    url: Address
    width: int | None = None
    height: int | None = None
    alt: str = ""


class Variant(msgspec.Struct, frozen=True, gc=False):
    """One form of a medium; `original` is what was uploaded, without its metadata. `size` in bytes."""

    name: Annotated[str, Meta(extra_json_schema={"enum": ["original"]})]
    url: Address
    content_type: MediaType
    size: int
    width: int | None = None
    height: int | None = None


class Medium(msgspec.Struct, frozen=True, gc=False):
    """A medium of yours. `waiting` is for its upload to be completed; only what is `ready` can be used."""

    id: Id
    state: MediaState
    content_type: MediaType
    alt: str
    created_at: Time
    variants: list[Variant] = []


class TweetVersion(msgspec.Struct, frozen=True, gc=False):
    """One text that a tweet had; `version` 1 is the one it was posted with."""

    version: int
    text: str
    entities: Entities | msgspec.Raw
    at: Time


class UserViewer(msgspec.Struct, frozen=True, gc=False):
    """How the one who asks stands to an account."""

    following: bool = False
    followed_by: bool = False
    blocking: bool = False
    muting: bool = False


class User(msgspec.Struct, frozen=True, gc=False):
    """A profile. `viewer` is null for those who are not signed in, and for your own."""

    id: Id
    username: str
    display_name: str
    bio: str
    location: str
    website: str
    created_at: Time
    followers_count: int = 0
    following_count: int = 0
    tweets_count: int = 0
    verified: bool = False
    role: Role = "user"
    viewer: UserViewer | None = None
    avatar_url: Address | None = None
    header_url: Address | None = None


class Me(User, frozen=True, gc=False):
    """Your own profile, with what only you see."""

    feed: Annotated[str, Meta(extra_json_schema={"enum": ["latest", "top"]})] = "latest"
    avatar_media_id: Id | None = None
    header_media_id: Id | None = None


class Reason(msgspec.Struct, frozen=True, gc=False):
    """Why an item is in a feed: who `posted` or `retweeted` it, and when."""

    kind: Annotated[str, Meta(extra_json_schema={"enum": ["posted", "retweeted"]})]
    by: Author
    at: Time


class FeedItem(msgspec.Struct, frozen=True, gc=False):
    """An item of a feed."""

    tweet: Tweet
    reason: Reason


class Notification(msgspec.Struct, frozen=True, gc=False):
    """What others did: reply, quote, mention, follow, like or retweet. Likes of one tweet are one, and retweets.

    `tweet` is the one liked or retweeted, or the reply, quote or mention itself. `actors` are up to 10 of those who
    did it, the newest first; `count` is up to 99.
    """

    id: Id
    kind: NotificationKind
    at: Time
    read: bool
    actors: list[Author]
    count: int
    tweet: Tweet | None = None


def medium_url(media: str, variant: str = "original") -> str:
    """Where a finished medium can be fetched, by everyone: the same for as long as there is the medium."""
    return f"/media/{media}/{variant}"


def picture_url(media: str | None) -> str | None:
    """Where a profile's picture can be fetched, if it has one."""
    return None if media is None else medium_url(media)


def tweet_media(attachments: Sequence[Attachment]) -> list[TweetMedium]:
    """The media of a tweet."""
    return [TweetMedium(a.media, a.content_type, medium_url(a.media), a.width, a.height, a.alt) for a in attachments]
