"""The questions that decisions ask of the decision state, and the types of the answers.

Each question is a small frozen class. Questions are data, so a store can answer all questions of a command in one
round trip.
"""

from __future__ import annotations

from typing import Any, Generic, TypeVar, cast

import msgspec

from events.accounts import Profile, Role
from events.ids import AccountId, ActivityId, MediaId, Millis, NotificationId, SessionId, TweetId
from events.media import Attachment
from events.tweets import TweetRef

F = TypeVar("F")


class Question(msgspec.Struct, Generic[F], frozen=True, gc=False):
    """A question that the decision state answers with an F."""


class Account(msgspec.Struct, frozen=True, gc=False):
    """An account in the decision state. `version` counts the changes of the profile."""

    id: AccountId
    username: str
    created_at: Millis
    imported: bool
    profile: Profile
    version: int


class AccountOf(Question[Account | None], frozen=True):
    """The account with an id; None if there is none."""

    account: AccountId


class AccountExists(Question[bool], frozen=True):
    """Whether an account with this id exists."""

    account: AccountId


class AccountNamed(Question[Account | None], frozen=True):
    """The account with a user name, in any case; None if there is none."""

    username: str


class RoleOf(Question[Role], frozen=True):
    """The role of an account."""

    account: AccountId


class IdsNamed(Question[dict[str, AccountId]], frozen=True):
    """The account ids by lower-case user name; names without an account are missing."""

    usernames: tuple[str, ...]


class NumberTaken(Question[bool], frozen=True):
    """Whether another account has the same number (events.ids.account_number)."""

    account: AccountId


class EmailTaken(Question[bool], frozen=True):
    """Whether an account has this e-mail address, in any case."""

    email: str


class Tweet(msgspec.Struct, frozen=True, gc=False):
    """A tweet in the decision state. `version` starts at 1 and grows by 1 with each edit."""

    id: TweetId
    author: AccountId
    conversation: TweetId
    reply_to: TweetRef | None
    quote_of: TweetRef | None
    deleted: bool
    version: int
    fingerprint: bytes
    """A hash of the newest text, to notice an edit that changes nothing."""
    blocked: bool
    """Whether the author blocks the viewer, or the viewer blocks the author."""


class TweetFor(Question[Tweet | None], frozen=True):
    """A tweet as `viewer` sees it; None if there is none."""

    tweet: TweetId
    viewer: AccountId


class Relation(msgspec.Struct, frozen=True, gc=False):
    """The follows, blocks and mutes between two accounts."""

    following: bool
    followed_by: bool
    blocking: bool
    blocked_by: bool
    muting: bool


STRANGERS = Relation(following=False, followed_by=False, blocking=False, blocked_by=False, muting=False)


class Named(msgspec.Struct, frozen=True, gc=False):
    """The user name of an account, ignoring case."""

    username: str


class Other(msgspec.Struct, frozen=True, gc=False):
    """Another account, and the relation of the asking account to it."""

    id: AccountId
    relation: Relation


class OtherOf(Question[Other | None], frozen=True):
    """The account `other`, by its id or its user name, and the relation of `account` to it; None if there is none."""

    account: AccountId
    other: AccountId | Named


class Follow(msgspec.Struct, frozen=True, gc=False):
    """A follow between two accounts: whether it exists, whether one has ended, and whether either blocks the other."""

    there: bool
    ended: bool
    blocked: bool


NO_FOLLOW = Follow(there=False, ended=False, blocked=False)


class FollowOf(Question[Follow], frozen=True):
    """Whether `follower` follows `followee`, or followed it before."""

    follower: AccountId
    followee: AccountId


class Engagement(msgspec.Struct, frozen=True, gc=False):
    """The like, retweet and bookmark of a tweet by an account. `retweet` is the id of the retweet, if there is one."""

    liked: bool
    retweet: ActivityId | None
    bookmarked: bool


class EngagementOf(Question[Engagement], frozen=True):
    """The like, retweet and bookmark of `tweet` by `account`."""

    account: AccountId
    tweet: TweetId


class ReadUpTo(Question[str], frozen=True):
    """The id up to which an account has read all its notifications; "" if there is none."""

    account: AccountId


class HasRead(Question[bool], frozen=True):
    """Whether an account has read a notification, by its own mark or by a mark of all up to a later one."""

    account: AccountId
    notification: NotificationId


class Session(msgspec.Struct, frozen=True, gc=False):
    """An open session of an account."""

    id: SessionId
    account: AccountId


class SessionsOf(Question[tuple[Session, ...]], frozen=True):
    """The open sessions of an account, oldest first."""

    account: AccountId


class StoredFile(msgspec.Struct, frozen=True, gc=False):
    """A checked file in the object store: `object` is its key there.

    `size` is in bytes. `width` and `height` are in pixels, as the picture is shown; None for videos without them.
    """

    content_type: str
    object: str
    size: int
    width: int | None = None
    height: int | None = None


class Media(msgspec.Struct, frozen=True, gc=False):
    """A picture or a video in the decision state. `stored` is None until the upload is finished."""

    owner: AccountId
    attachment: Attachment
    stored: StoredFile | None
    deleted: bool


class MediaOf(Question[Media | None], frozen=True):
    """The medium with an id; None if there is none."""

    media: MediaId


class MediaInUse(Question[bool], frozen=True):
    """Whether a tweet that is not deleted shows a medium."""

    media: MediaId


class Facts:
    """The answers to questions, by question."""

    __slots__ = ("_answers",)

    def __init__(self, answers: dict[Question[Any], Any]) -> None:
        self._answers = answers

    def __getitem__(self, question: Question[F]) -> F:
        return cast(F, self._answers[question])
