"""The shapes of the REST resources, as msgspec structs: encoded once, not validated on the way out.

Both APIs use them, so that the tweet that `POST /tweets` answers with is shaped like the one that is read.
"""

from __future__ import annotations

import msgspec

from events.entities import Entities
from events.tweets import Place


class Author(msgspec.Struct, frozen=True):
    """An account as it stands beside a tweet or in a list of few words."""

    id: str
    username: str
    display_name: str
    verified: bool = False


class Reference(msgspec.Struct, frozen=True):
    """A tweet that is replied to, and its author."""

    id: str
    author_id: str


class Counts(msgspec.Struct, frozen=True):
    """What others did with a tweet."""

    replies: int = 0
    retweets: int = 0
    quotes: int = 0
    likes: int = 0
    bookmarks: int = 0


class Sentiment(msgspec.Struct, frozen=True):
    """How a tweet reads: `negative`, `neutral` or `positive`, and a score in [-1, 1]."""

    label: str
    score: float


class TweetViewer(msgspec.Struct, frozen=True):
    """What the one who asks did with a tweet."""

    liked: bool = False
    retweeted: bool = False
    bookmarked: bool = False


class Quote(msgspec.Struct, frozen=True):
    """The tweet that is quoted. `tweet` is missing in answers to writes, and where it is deleted or hidden from you."""

    id: str
    author_id: str
    tweet: Tweet | None = None


class Tweet(msgspec.Struct, frozen=True):
    """A tweet. Offsets in `entities` count code points. `sentiment` is null until the tweet has been scored.

    `viewer` is null for those who are not signed in.
    """

    id: str
    author: Author
    text: str
    entities: Entities | msgspec.Raw
    created_at: str
    conversation_id: str
    version: int = 1
    edited_at: str | None = None
    location: Place | msgspec.Raw | None = None
    sensitive: bool = False
    content_warning: str | None = None
    reply_to: Reference | None = None
    quote: Quote | None = None
    counts: Counts = Counts()
    sentiment: Sentiment | None = None
    viewer: TweetViewer | None = None


class TweetVersion(msgspec.Struct, frozen=True):
    """One text that a tweet had; `version` 1 is the one it was posted with."""

    version: int
    text: str
    entities: Entities | msgspec.Raw
    at: str


class UserViewer(msgspec.Struct, frozen=True):
    """How the one who asks stands to an account."""

    following: bool = False
    followed_by: bool = False
    blocking: bool = False
    muting: bool = False


class User(msgspec.Struct, frozen=True):
    """A profile. `viewer` is null for those who are not signed in, and for your own."""

    id: str
    username: str
    display_name: str
    bio: str
    location: str
    website: str
    created_at: str
    followers_count: int = 0
    following_count: int = 0
    tweets_count: int = 0
    verified: bool = False
    role: str = "user"
    viewer: UserViewer | None = None


class Me(User, frozen=True):
    """Your own profile, with what only you see."""

    feed: str = "latest"


class Reason(msgspec.Struct, frozen=True):
    """Why an item is in a feed: who `posted` or `retweeted` it, and when."""

    kind: str
    by: Author
    at: str


class FeedItem(msgspec.Struct, frozen=True):
    """An item of a feed."""

    tweet: Tweet
    reason: Reason


class Notification(msgspec.Struct, frozen=True):
    """What others did: reply, quote, mention, follow, like or retweet. Likes of one tweet are one, and retweets.

    `tweet` is the one liked or retweeted, or the reply, quote or mention itself. `actors` are up to 10 of those who
    did it, the newest first; `count` is up to 99.
    """

    id: str
    kind: str
    at: str
    read: bool
    actors: list[Author]
    count: int
    tweet: Tweet | None = None
