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
    """Its id, an opaque text that sorts by when it was made."""
    username: str
    """The name that it goes by, unique whatever the case."""
    display_name: str
    """The name that is shown."""
    verified: bool = False
    """Whether it is known to be who it says."""
    avatar_url: Address | None = None
    """Where its picture is; null where it has none."""


class Reference(msgspec.Struct, frozen=True, gc=False):
    """A tweet that is replied to, and its author."""

    id: Id
    """Its id, an opaque text that sorts by when it was made."""
    author_id: Id
    """The id of its author."""


class Counts(msgspec.Struct, frozen=True, gc=False):
    """What others did with a tweet."""

    replies: int = 0
    """Replies to it."""
    retweets: int = 0
    """How often it was passed on."""
    quotes: int = 0
    """Tweets that quote it."""
    likes: int = 0
    """Accounts that like it."""
    bookmarks: int = 0
    """Accounts that keep it for later."""


class Sentiment(msgspec.Struct, frozen=True, gc=False):
    """How a tweet reads: `negative`, `neutral` or `positive`, and a score in [-1, 1]."""

    label: Label
    """How it reads."""
    score: float
    """From -1, very negative, to 1, very positive."""


class TweetViewer(msgspec.Struct, frozen=True, gc=False):
    """What the one who asks did with a tweet."""

    liked: bool = False
    """Whether you like it."""
    retweeted: bool = False
    """Whether you passed it on."""
    bookmarked: bool = False
    """Whether you keep it for later."""


class Quote(msgspec.Struct, frozen=True, gc=False):
    """The tweet that is quoted. `tweet` is missing in answers to writes, and where it is deleted or hidden from you."""

    id: Id
    """Its id, an opaque text that sorts by when it was made."""
    author_id: Id
    """The id of its author."""
    tweet: Tweet | None = None
    """The tweet itself; null in answers to writes, and where it is deleted or hidden from you."""


class Tweet(msgspec.Struct, frozen=True, gc=False):
    """A tweet. Offsets in `entities` count code points. `sentiment` is null until the tweet has been scored.

    `viewer` is null for those who are not signed in.
    """

    id: Id
    """Its id, an opaque text that sorts by when it was made."""
    author: Author
    """Who wrote it."""
    text: str
    """The text, composed (NFC)."""
    entities: Entities | msgspec.Raw
    """The hashtags, mentions and links of the text."""
    created_at: Time
    """When it was made."""
    conversation_id: Id
    """The id of the tweet that its conversation began with."""
    version: int = 1
    """1 as it was posted, one more with each edit."""
    edited_at: Time | None = None
    """When it was edited last; null where it never was."""
    location: Place | msgspec.Raw | None = None
    """Where it was written; null where that is not said."""
    sensitive: bool = False
    """Whether it is to be hidden until it is asked for."""
    content_warning: str | None = None
    """What to warn of before it is shown; null for nothing."""
    reply_to: Reference | None = None
    """The tweet that it replies to; null where it is no reply."""
    quote: Quote | None = None
    """The tweet that it quotes; null where it quotes none."""
    counts: Counts = Counts()
    """What others did with it."""
    sentiment: Sentiment | None = None
    """How it reads; null until it has been scored."""
    viewer: TweetViewer | None = None
    """What you did with it; null for those who are not signed in."""
    media: list[TweetMedium] = []
    """The pictures and videos that it shows."""


class TweetMedium(msgspec.Struct, frozen=True, gc=False):
    """A picture or a video that a tweet shows. `width` and `height` are pixels, null for videos."""

    id: Id
    """Its id, an opaque text that sorts by when it was made."""
    content_type: MediaType
    """What it is, as its content tells."""
    url: Address
    """Where it can be fetched, by everyone."""
    width: int | None = None
    """In pixels, as shown; null for a video."""
    height: int | None = None
    """In pixels, as shown; null for a video."""
    alt: str = ""
    """What those are told who cannot see it."""


class Variant(msgspec.Struct, frozen=True, gc=False):
    """One form of a medium; `original` is what was uploaded, without its metadata. `size` in bytes."""

    name: Annotated[str, Meta(extra_json_schema={"enum": ["original"]})]
    """Which form it is."""
    url: Address
    """Where it can be fetched, by everyone."""
    content_type: MediaType
    """What it is, as its content tells."""
    size: int
    """In bytes."""
    width: int | None = None
    """In pixels, as shown; null for a video."""
    height: int | None = None
    """In pixels, as shown; null for a video."""


class Medium(msgspec.Struct, frozen=True, gc=False):
    """A medium of yours. `waiting` is for its upload to be completed; only what is `ready` can be used."""

    id: Id
    """Its id, an opaque text that sorts by when it was made."""
    state: MediaState
    """`waiting` for its upload to be completed, or `ready`."""
    content_type: MediaType
    """What it is, as its content tells."""
    alt: str
    """What those are told who cannot see it."""
    created_at: Time
    """When it was made."""
    variants: list[Variant] = []
    """The forms in which it can be fetched."""


class TweetVersion(msgspec.Struct, frozen=True, gc=False):
    """One text that a tweet had; `version` 1 is the one it was posted with."""

    version: int
    """1 as it was posted, one more with each edit."""
    text: str
    """The text, composed (NFC)."""
    entities: Entities | msgspec.Raw
    """The hashtags, mentions and links of the text."""
    at: Time
    """Since when the tweet said so."""


class UserViewer(msgspec.Struct, frozen=True, gc=False):
    """How the one who asks stands to an account."""

    following: bool = False
    """Whether you follow it."""
    followed_by: bool = False
    """Whether it follows you."""
    blocking: bool = False
    """Whether you block it."""
    muting: bool = False
    """Whether you mute it."""


class User(msgspec.Struct, frozen=True, gc=False):
    """A profile. `viewer` is null for those who are not signed in, and for your own."""

    id: Id
    """Its id, an opaque text that sorts by when it was made."""
    username: str
    """The name that it goes by, unique whatever the case."""
    display_name: str
    """The name that is shown."""
    bio: str
    """What it says of itself, in some lines."""
    location: str
    """Where it says that it is."""
    website: str
    """The address that its profile links to; empty for none."""
    created_at: Time
    """When it was made."""
    followers_count: int = 0
    """How many accounts follow it."""
    following_count: int = 0
    """How many accounts it follows."""
    tweets_count: int = 0
    """How many tweets it has posted and not deleted."""
    verified: bool = False
    """Whether it is known to be who it says."""
    role: Role = "user"
    """What it may do."""
    viewer: UserViewer | None = None
    """How you stand to it; null for those who are not signed in, and for your own."""
    avatar_url: Address | None = None
    """Where its picture is; null where it has none."""
    header_url: Address | None = None
    """Where the picture above its profile is; null where it has none."""


class Me(User, frozen=True, gc=False):
    """Your own profile, with what only you see."""

    feed: Annotated[str, Meta(extra_json_schema={"enum": ["latest", "top"]})] = "latest"
    """The order that `/feed` has for you."""
    avatar_media_id: Id | None = None
    """The medium that is your picture; null for none."""
    header_media_id: Id | None = None
    """The medium above your profile; null for none."""


class Reason(msgspec.Struct, frozen=True, gc=False):
    """Why an item is in a feed: who `posted` or `retweeted` it, and when."""

    kind: Annotated[str, Meta(extra_json_schema={"enum": ["posted", "retweeted"]})]
    """What brought it into the feed."""
    by: Author
    """Who posted it or passed it on."""
    at: Time
    """When it was posted or passed on."""


class FeedItem(msgspec.Struct, frozen=True, gc=False):
    """An item of a feed."""

    tweet: Tweet
    """The tweet."""
    reason: Reason
    """Why it is in the feed."""


class Notification(msgspec.Struct, frozen=True, gc=False):
    """What others did: reply, quote, mention, follow, like or retweet. Likes of one tweet are one, and retweets.

    `tweet` is the one liked or retweeted, or the reply, quote or mention itself. `actors` are up to 10 of those who
    did it, the newest first; `count` is up to 99.
    """

    id: Id
    """Its id, an opaque text that sorts by when it was made."""
    kind: NotificationKind
    """What was done."""
    at: Time
    """When it happened."""
    read: bool
    """Whether you have read it."""
    actors: list[Author]
    """Up to 10 of those who did it, the newest first."""
    count: int
    """How many did it, up to 99."""
    tweet: Tweet | None = None
    """The tweet that was liked or passed on, or the reply, quote or mention itself; null for a follow, and where it
    is gone."""


def medium_url(media: str, variant: str = "original") -> str:
    """Where a finished medium can be fetched, by everyone: the same for as long as there is the medium."""
    return f"/media/{media}/{variant}"


def picture_url(media: str | None) -> str | None:
    """Where a profile's picture can be fetched, if it has one."""
    return None if media is None else medium_url(media)


def tweet_media(attachments: Sequence[Attachment]) -> list[TweetMedium]:
    """The media of a tweet."""
    return [TweetMedium(a.media, a.content_type, medium_url(a.media), a.width, a.height, a.alt) for a in attachments]
