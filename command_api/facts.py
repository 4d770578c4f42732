"""What a decision may ask of the decision state: each question a small frozen class, each answer a small fact.

Questions are data, so that a store can answer all those of a command in one round trip.
"""

from __future__ import annotations

from typing import Any, Generic, TypeVar, cast

import msgspec

from events.accounts import Profile
from events.ids import AccountId, ActivityId, MediaId, Millis, NotificationId, SessionId, TweetId
from events.media import Attachment
from events.tweets import TweetRef

F = TypeVar("F")


class Question(msgspec.Struct, Generic[F], frozen=True, gc=False):
    """Something the decision state can answer with an F."""


class Account(msgspec.Struct, frozen=True, gc=False):
    """An account, as decisions know it. `version` counts the changes of the profile."""

    id: AccountId
    username: str
    created_at: Millis
    imported: bool
    profile: Profile
    version: int


class AccountOf(Question[Account | None], frozen=True):
    """The account with an id."""

    account: AccountId


class AccountExists(Question[bool], frozen=True):
    """Whether there is an account with an id."""

    account: AccountId


class AccountNamed(Question[Account | None], frozen=True):
    """The account with a name, whatever the case."""

    username: str


class IdsNamed(Question[dict[str, AccountId]], frozen=True):
    """The ids of those of the names, lower case, that accounts have."""

    usernames: tuple[str, ...]


class NumberTaken(Question[bool], frozen=True):
    """Whether another account has the same number (events.ids.account_number)."""

    account: AccountId


class EmailTaken(Question[bool], frozen=True):
    """Whether an account has this e-mail address, whatever the case."""

    email: str


class Tweet(msgspec.Struct, frozen=True, gc=False):
    """A tweet, as decisions know it. `version` is 1 as posted and grows with each edit."""

    id: TweetId
    author: AccountId
    conversation: TweetId
    reply_to: TweetRef | None
    quote_of: TweetRef | None
    deleted: bool
    version: int
    fingerprint: bytes
    """Of the newest text: an edit that changes nothing appends nothing."""
    blocked: bool
    """Whether the author blocks the one who asks, or is blocked by them."""


class TweetFor(Question[Tweet | None], frozen=True):
    """A tweet, as seen by `viewer`."""

    tweet: TweetId
    viewer: AccountId


class Relation(msgspec.Struct, frozen=True, gc=False):
    """How two accounts stand to each other."""

    following: bool
    followed_by: bool
    blocking: bool
    blocked_by: bool
    muting: bool


STRANGERS = Relation(following=False, followed_by=False, blocking=False, blocked_by=False, muting=False)


class Named(msgspec.Struct, frozen=True, gc=False):
    """An account by its name, whatever the case."""

    username: str


class Other(msgspec.Struct, frozen=True, gc=False):
    """Another account, and how the one who asks stands to it."""

    id: AccountId
    relation: Relation


class OtherOf(Question[Other | None], frozen=True):
    """The account `other`, by its id or its name, and how `account` stands to it."""

    account: AccountId
    other: AccountId | Named


class Follow(msgspec.Struct, frozen=True, gc=False):
    """What there is or was between two accounts: a follow, one that ended, a block by either."""

    there: bool
    ended: bool
    blocked: bool


NO_FOLLOW = Follow(there=False, ended=False, blocked=False)


class FollowOf(Question[Follow], frozen=True):
    """Whether `follower` follows `followee`, or ever did."""

    follower: AccountId
    followee: AccountId


class Engagement(msgspec.Struct, frozen=True, gc=False):
    """What an account did with a tweet. `retweet` is the id of its retweet, if there is one."""

    liked: bool
    retweet: ActivityId | None
    bookmarked: bool


class EngagementOf(Question[Engagement], frozen=True):
    """What `account` did with `tweet`."""

    account: AccountId
    tweet: TweetId


class ReadUpTo(Question[str], frozen=True):
    """The newest id up to which an account has read all its notifications, "" for none."""

    account: AccountId


class HasRead(Question[bool], frozen=True):
    """Whether an account has read a notification, by itself or with all up to a later one."""

    account: AccountId
    notification: NotificationId


class Session(msgspec.Struct, frozen=True, gc=False):
    """A session of an account that has not ended."""

    id: SessionId
    account: AccountId


class SessionsOf(Question[tuple[Session, ...]], frozen=True):
    """The sessions of an account that have not ended."""

    account: AccountId


class Media(msgspec.Struct, frozen=True, gc=False):
    """A picture or a video, as decisions know it: `object` is its key in the store and `size` its bytes,
    None until it is finished."""

    owner: AccountId
    attachment: Attachment
    object: str | None
    size: int | None
    deleted: bool


class MediaOf(Question[Media | None], frozen=True):
    """The medium with an id."""

    media: MediaId


class MediaInUse(Question[bool], frozen=True):
    """Whether a tweet that is there shows a medium."""

    media: MediaId


class Facts:
    """Answers to a command's questions."""

    __slots__ = ("_answers",)

    def __init__(self, answers: dict[Question[Any], Any]) -> None:
        self._answers = answers

    def __getitem__(self, question: Question[F]) -> F:
        return cast(F, self._answers[question])
