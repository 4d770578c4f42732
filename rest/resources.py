"""The REST resources as msgspec structs: encoded once, not validated when they are sent.

Both APIs use them, so the tweet in the response of `POST /tweets` has the form of the tweet in `GET /tweets/{id}`.
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
"""A reference relative to the address of the API (RFC 3986, 5)."""
MediaType = Annotated[str, Meta(extra_json_schema={"enum": list(MEDIA_TYPES)})]
MediaState = Annotated[str, Meta(extra_json_schema={"enum": ["waiting", "ready"]})]


class Author(msgspec.Struct, frozen=True, gc=False):
    """The short form of an account, beside a tweet or in a list."""

    id: Id
    """Its id: an opaque text that sorts by time."""
    username: str
    """The account's unique name; upper and lower case are the same."""
    display_name: str
    """The name to show."""
    verified: bool = False
    """Whether the account's identity is verified."""
    avatar_url: Address | None = None
    """The address of its picture; null if it has none."""


class Reference(msgspec.Struct, frozen=True, gc=False):
    """A tweet that is replied to, and its author."""

    id: Id
    """Its id: an opaque text that sorts by time."""
    author_id: Id
    """The id of its author."""


class Counts(msgspec.Struct, frozen=True, gc=False):
    """The counters of a tweet."""

    replies: int = 0
    """Replies to it."""
    retweets: int = 0
    """Retweets of it."""
    quotes: int = 0
    """Tweets that quote it."""
    likes: int = 0
    """Accounts that like it."""
    bookmarks: int = 0
    """Accounts that bookmarked it."""


class Sentiment(msgspec.Struct, frozen=True, gc=False):
    """The sentiment of a tweet: `negative`, `neutral` or `positive`, and a score in [-1, 1]."""

    label: Label
    """The sentiment."""
    score: float
    """From -1, very negative, to 1, very positive."""


class TweetViewer(msgspec.Struct, frozen=True, gc=False):
    """Your marks on a tweet."""

    liked: bool = False
    """Whether you like it."""
    retweeted: bool = False
    """Whether you retweeted it."""
    bookmarked: bool = False
    """Whether you bookmarked it."""


class Quote(msgspec.Struct, frozen=True, gc=False):
    """A quoted tweet. `tweet` is null in responses to writes, and if it was deleted or is hidden from you."""

    id: Id
    """Its id: an opaque text that sorts by time."""
    author_id: Id
    """The id of its author."""
    tweet: Tweet | None = None
    """The tweet itself; null in responses to writes, and if it was deleted or is hidden from you."""


class Tweet(msgspec.Struct, frozen=True, gc=False):
    """A tweet. Offsets in `entities` count code points. `sentiment` is null until the tweet has been scored.

    `viewer` is null if you are not signed in.
    """

    id: Id
    """Its id: an opaque text that sorts by time."""
    author: Author
    """The author."""
    text: str
    """The text, composed (NFC)."""
    entities: Entities | msgspec.Raw
    """The hashtags, mentions and links of the text."""
    created_at: Time
    """When it was posted."""
    conversation_id: Id
    """The id of the first tweet of its conversation."""
    version: int = 1
    """1 for the posted text, one more with each edit."""
    edited_at: Time | None = None
    """When it was last edited; null if it never was."""
    location: Place | msgspec.Raw | None = None
    """The location of the author; null if not given."""
    sensitive: bool = False
    """Whether clients should hide it until the reader asks for it."""
    content_warning: str | None = None
    """The warning to show before the tweet; null for none."""
    reply_to: Reference | None = None
    """The tweet that it replies to; null if it is no reply."""
    quote: Quote | None = None
    """The tweet that it quotes; null if it quotes none."""
    counts: Counts = Counts()
    """Its counters."""
    sentiment: Sentiment | None = None
    """Its sentiment; null until it has been scored."""
    viewer: TweetViewer | None = None
    """Your marks on it; null if you are not signed in."""
    media: list[TweetMedium] = []
    """Its pictures and videos."""


class TweetMedium(msgspec.Struct, frozen=True, gc=False):
    """A picture or a video in a tweet. `width` and `height` are pixels, null for videos."""

    id: Id
    """Its id: an opaque text that sorts by time."""
    content_type: MediaType
    """The type of its content."""
    url: Address
    """Its public address."""
    width: int | None = None
    """In pixels, as shown; null for a video."""
    height: int | None = None
    """In pixels, as shown; null for a video."""
    alt: str = ""
    """The description for readers who cannot see it."""


class Variant(msgspec.Struct, frozen=True, gc=False):
    """One file of a medium. `original` is the uploaded file without its metadata. `size` is in bytes."""

    name: Annotated[str, Meta(extra_json_schema={"enum": ["original"]})]
    """The name of the variant."""
    url: Address
    """Its public address."""
    content_type: MediaType
    """The type of its content."""
    size: int
    """The size in bytes."""
    width: int | None = None
    """In pixels, as shown; null for a video."""
    height: int | None = None
    """In pixels, as shown; null for a video."""


class Medium(msgspec.Struct, frozen=True, gc=False):
    """A medium of yours. It can be used in tweets and profiles once it is `ready`."""

    id: Id
    """Its id: an opaque text that sorts by time."""
    state: MediaState
    """`waiting` until the upload is completed, then `ready`."""
    content_type: MediaType
    """The type of its content."""
    alt: str
    """The description for readers who cannot see it."""
    created_at: Time
    """When the upload was started."""
    variants: list[Variant] = []
    """The files that can be fetched."""


class TweetVersion(msgspec.Struct, frozen=True, gc=False):
    """One version of a tweet's text; `version` 1 is the posted text."""

    version: int
    """1 for the posted text, one more with each edit."""
    text: str
    """The text, composed (NFC)."""
    entities: Entities | msgspec.Raw
    """The hashtags, mentions and links of the text."""
    at: Time
    """When this version was written."""


class UserViewer(msgspec.Struct, frozen=True, gc=False):
    """Your relation to an account."""

    following: bool = False
    """Whether you follow it."""
    followed_by: bool = False
    """Whether it follows you."""
    blocking: bool = False
    """Whether you block it."""
    muting: bool = False
    """Whether you mute it."""


class User(msgspec.Struct, frozen=True, gc=False):
    """A profile. `viewer` is null if you are not signed in, and for your own profile."""

    id: Id
    """Its id: an opaque text that sorts by time."""
    username: str
    """The account's unique name; upper and lower case are the same."""
    display_name: str
    """The name to show."""
    bio: str
    """The account's description of itself."""
    location: str
    """The location that the account states; empty for none."""
    website: str
    """The address that its profile links to; empty for none."""
    created_at: Time
    """When it was registered."""
    followers_count: int = 0
    """The number of its followers."""
    following_count: int = 0
    """The number of accounts that it follows."""
    tweets_count: int = 0
    """The number of its tweets, without deleted ones."""
    verified: bool = False
    """Whether the account's identity is verified."""
    role: Role = "user"
    """The role, which decides its permissions."""
    viewer: UserViewer | None = None
    """Your relation to it; null if you are not signed in, and for your own profile."""
    avatar_url: Address | None = None
    """The address of its picture; null if it has none."""
    header_url: Address | None = None
    """The address of the picture above its profile; null if it has none."""


class Me(User, frozen=True, gc=False):
    """Your own profile, with the settings that only you see."""

    feed: Annotated[str, Meta(extra_json_schema={"enum": ["latest", "top"]})] = "latest"
    """The order of your `/feed`."""
    avatar_media_id: Id | None = None
    """The medium of your picture; null for none."""
    header_media_id: Id | None = None
    """The medium of the picture above your profile; null for none."""


class Reason(msgspec.Struct, frozen=True, gc=False):
    """Why an item is in a feed: an account `posted` or `retweeted` it at a time."""

    kind: Annotated[str, Meta(extra_json_schema={"enum": ["posted", "retweeted"]})]
    """Whether it was posted or retweeted."""
    by: Author
    """The account that posted or retweeted it."""
    at: Time
    """When it was posted or retweeted."""


class FeedItem(msgspec.Struct, frozen=True, gc=False):
    """An item of a feed."""

    tweet: Tweet
    """The tweet."""
    reason: Reason
    """Why it is in the feed."""


class Notification(msgspec.Struct, frozen=True, gc=False):
    """A reply, quote, mention, follow, like or retweet. Likes of one tweet are one item, and so are its retweets.

    `tweet` is the one liked or retweeted, or the reply, quote or mention itself. `actors` are up to 10 acting accounts,
    the newest first; `count` is the number of acting accounts, up to 99.
    """

    id: Id
    """Its id: an opaque text that sorts by time."""
    kind: NotificationKind
    """The kind of act."""
    at: Time
    """When the newest act happened."""
    read: bool
    """Whether you have read it."""
    actors: list[Author]
    """Up to 10 acting accounts, the newest first."""
    count: int
    """The number of acting accounts, up to 99."""
    tweet: Tweet | None = None
    """The tweet that was liked or retweeted, or the reply, quote or mention itself; null for a follow, and if the tweet
    is hidden or not available."""


def medium_url(media: str, variant: str = "original") -> str:
    """Return the public address of a finished medium. It stays the same as long as the medium exists."""
    return f"/media/{media}/{variant}"


def picture_url(media: str | None) -> str | None:
    """Return the public address of a profile's picture; None if it has none."""
    return None if media is None else medium_url(media)


def tweet_media(attachments: Sequence[Attachment]) -> list[TweetMedium]:
    """Return the media of a tweet as API resources."""
    return [TweetMedium(a.media, a.content_type, medium_url(a.media), a.width, a.height, a.alt) for a in attachments]
