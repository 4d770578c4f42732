"""What a decision may ask of the decision state: each question a small frozen class, each answer a small fact.

Questions are data, so that a store can answer all those of a command in one round trip.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, Generic, TypeVar, cast

from events.accounts import Profile
from events.ids import AccountId, ActivityId, Millis, NotificationId, SessionId, TweetId
from events.tweets import TweetRef

F = TypeVar("F")


class Question(Generic[F]):
    """Something the decision state can answer with an F."""

    __slots__ = ()


@dataclass(frozen=True, slots=True)
class Account:
    """An account, as decisions know it. `version` counts the changes of the profile."""

    id: AccountId
    username: str
    created_at: Millis
    imported: bool
    profile: Profile
    version: int


@dataclass(frozen=True, slots=True)
class AccountOf(Question[Account | None]):
    """The account with an id."""

    account: AccountId


@dataclass(frozen=True, slots=True)
class AccountExists(Question[bool]):
    """Whether there is an account with an id."""

    account: AccountId


@dataclass(frozen=True, slots=True)
class AccountNamed(Question[Account | None]):
    """The account with a name, whatever the case."""

    username: str


@dataclass(frozen=True, slots=True)
class IdsNamed(Question[dict[str, AccountId]]):
    """The ids of those of the names, lower case, that accounts have."""

    usernames: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class NumberTaken(Question[bool]):
    """Whether another account has the same number (events.ids.account_number)."""

    account: AccountId


@dataclass(frozen=True, slots=True)
class EmailTaken(Question[bool]):
    """Whether an account has this e-mail address, whatever the case."""

    email: str


@dataclass(frozen=True, slots=True)
class Tweet:
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


@dataclass(frozen=True, slots=True)
class TweetFor(Question[Tweet | None]):
    """A tweet, as seen by `viewer`."""

    tweet: TweetId
    viewer: AccountId


@dataclass(frozen=True, slots=True)
class Relation:
    """How two accounts stand to each other."""

    following: bool
    followed_by: bool
    blocking: bool
    blocked_by: bool
    muting: bool


STRANGERS = Relation(following=False, followed_by=False, blocking=False, blocked_by=False, muting=False)


@dataclass(frozen=True, slots=True)
class RelationOf(Question[Relation]):
    """How `account` stands to `other`."""

    account: AccountId
    other: AccountId


@dataclass(frozen=True, slots=True)
class Follow:
    """What there is or was between two accounts: a follow, one that ended, a block by either."""

    there: bool
    ended: bool
    blocked: bool


NO_FOLLOW = Follow(there=False, ended=False, blocked=False)


@dataclass(frozen=True, slots=True)
class FollowOf(Question[Follow]):
    """Whether `follower` follows `followee`, or ever did."""

    follower: AccountId
    followee: AccountId


@dataclass(frozen=True, slots=True)
class Engagement:
    """What an account did with a tweet. `retweet` is the id of its retweet, if there is one."""

    liked: bool
    retweet: ActivityId | None
    bookmarked: bool


@dataclass(frozen=True, slots=True)
class EngagementOf(Question[Engagement]):
    """What `account` did with `tweet`."""

    account: AccountId
    tweet: TweetId


@dataclass(frozen=True, slots=True)
class ReadUpTo(Question[str]):
    """The newest id up to which an account has read all its notifications, "" for none."""

    account: AccountId


@dataclass(frozen=True, slots=True)
class HasRead(Question[bool]):
    """Whether an account has read a notification, by itself or with all up to a later one."""

    account: AccountId
    notification: NotificationId


@dataclass(frozen=True, slots=True)
class Session:
    """A session of an account that has not ended."""

    id: SessionId
    account: AccountId


@dataclass(frozen=True, slots=True)
class SessionsOf(Question[tuple[Session, ...]]):
    """The sessions of an account that have not ended."""

    account: AccountId


class Facts:
    """Answers to a command's questions."""

    __slots__ = ("_answers",)

    def __init__(self, answers: dict[Question[Any], Any]) -> None:
        self._answers = answers

    def __getitem__(self, question: Question[F]) -> F:
        return cast(F, self._answers[question])
