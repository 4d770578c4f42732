"""The ports of notifications: what the stream remembers of those it raised, and the read model."""

from __future__ import annotations

from collections.abc import Collection
from typing import Literal, NamedTuple, Protocol

from events.ids import AccountId, NotificationId, TweetId

from .pages import Page

Kind = Literal["reply", "quote", "mention", "follow", "like", "retweet"]
KINDS: tuple[Kind, ...] = ("reply", "quote", "mention", "follow", "like", "retweet")
GROUPED: frozenset[str] = frozenset({"like", "retweet"})
"""Kinds of which all notifications about one tweet are shown as one."""


class Raised(NamedTuple):
    """A notification that the stream has raised."""

    kind: str
    recipient: AccountId
    notification: NotificationId


class RaisedNotifications(Protocol):
    """The stream's own rows: what it raised for something that an actor did, as long as that stands.

    All of one actor's rows come from events of one entity, since an actor's likes, follows and tweets each are one.
    `about` is the tweet, or the account that was followed.
    """

    async def fetch(self, wanted: Collection[tuple[AccountId, str]]) -> None:
        """Have at hand what `of` will be asked for within this batch. Raises StoreUnavailable."""
        ...

    def put(self, actor: AccountId, about: str, raised: Raised) -> None:
        """A notification was raised."""
        ...

    def of(self, actor: AccountId, about: str) -> list[Raised]:
        """What was raised for it and not withdrawn since, earlier in this batch or before it."""
        ...

    def remove(self, actor: AccountId, about: str, raised: Raised) -> None:
        """A notification was withdrawn."""
        ...


class NotificationRows(Protocol):
    """What the projector writes."""

    def raised(
        self, recipient: AccountId, notification: NotificationId, kind: str, actor: AccountId, tweet: TweetId | None
    ) -> None:
        """A notification is there."""
        ...

    def withdrawn(self, recipient: AccountId, notification: NotificationId) -> None:
        """A notification is gone."""
        ...

    def read(self, owner: AccountId, notification: NotificationId) -> None:
        """One notification was read, be it there already or not."""
        ...

    def read_up_to(self, owner: AccountId, notification: NotificationId) -> None:
        """All up to and with one were read."""
        ...


class Notification(NamedTuple):
    """A notification, as it was raised."""

    id: NotificationId
    kind: str
    actor: AccountId
    tweet: TweetId | None


class Member(NamedTuple):
    """One of the notifications that are shown as one."""

    id: NotificationId
    actor: AccountId


Group = tuple[str, TweetId]
"""A kind and a tweet."""


class ReadMarks(NamedTuple):
    """What an account has read: everything up to `up_to` ("" for nothing), and `single` ones of those asked for."""

    up_to: str
    single: frozenset[NotificationId]

    def covers(self, notification: str) -> bool:
        """Whether a notification was read."""
        return notification <= self.up_to or notification in self.single


class Notifications(Protocol):
    """What the query API reads. What is hidden or deleted is left out by the reader (query_api/notifications.py)."""

    async def newest(
        self, recipient: AccountId, kinds: Collection[str], before: str | None, limit: int
    ) -> Page[Notification]:
        """Notifications of some kinds, each by itself, newest first."""
        ...

    async def members(
        self, recipient: AccountId, groups: Collection[Group], up_to: str | None, limit: int
    ) -> dict[Group, list[Member]]:
        """The notifications of each group, up to and with one, newest first, `limit` of each group at most."""
        ...

    async def marks(self, recipient: AccountId, notifications: Collection[NotificationId]) -> ReadMarks:
        """What of these an account has read."""
        ...
