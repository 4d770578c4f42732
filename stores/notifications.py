"""The ports of notifications: the stream's memory of the notifications that it raised, and the read model."""

from __future__ import annotations

from collections.abc import Collection
from typing import Literal, NamedTuple, Protocol

from events.ids import AccountId, NotificationId, TweetId

from .pages import Page

Kind = Literal["reply", "quote", "mention", "follow", "like", "retweet"]
KINDS: tuple[Kind, ...] = ("reply", "quote", "mention", "follow", "like", "retweet")
GROUPED: frozenset[str] = frozenset({"like", "retweet"})
"""The kinds of notifications that are shown as one if they are about the same tweet."""


class Raised(NamedTuple):
    """A notification that the stream has raised."""

    kind: str
    recipient: AccountId
    notification: NotificationId


class RaisedNotifications(Protocol):
    """The stream's own rows: the notifications raised for an action, until they are withdrawn.

    All rows of an actor come from events of one entity, since an actor's likes, follows and tweets each are one entity.
    `about` is the tweet, or the account that was followed.
    """

    async def fetch(self, wanted: Collection[tuple[AccountId, str]]) -> None:
        """Load the rows that `of` will need within this batch, by (actor, about). Raises StoreUnavailable."""
        ...

    def put(self, actor: AccountId, about: str, raised: Raised) -> None:
        """Record a raised notification."""
        ...

    def of(self, actor: AccountId, about: str) -> list[Raised]:
        """Return the raised notifications that are not withdrawn, those of this batch included."""
        ...

    def remove(self, actor: AccountId, about: str, raised: Raised) -> None:
        """Remove a notification that was withdrawn."""
        ...


class NotificationRows(Protocol):
    """Rows that the projector writes."""

    def raised(
        self, recipient: AccountId, notification: NotificationId, kind: str, actor: AccountId, tweet: TweetId | None
    ) -> None:
        """Add a notification."""
        ...

    def withdrawn(self, recipient: AccountId, notification: NotificationId) -> None:
        """Remove a notification."""
        ...

    def read(self, owner: AccountId, notification: NotificationId) -> None:
        """Mark one notification as read. It need not be known yet."""
        ...

    def read_up_to(self, owner: AccountId, notification: NotificationId) -> None:
        """Mark all notifications up to and including one as read."""
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
"""The kind and the tweet of notifications that are shown as one."""


class ReadMarks(NamedTuple):
    """The notifications that an account has read: all up to `up_to` ("" for none), and the `single` ones."""

    up_to: str
    single: frozenset[NotificationId]

    def covers(self, notification: str) -> bool:
        """Return whether a notification was read."""
        return notification <= self.up_to or notification in self.single


class Notifications(Protocol):
    """Reads for the query API. The reader (query_api/notifications.py) leaves out hidden and deleted items."""

    async def newest(
        self, recipient: AccountId, kinds: Collection[str], before: str | None, limit: int
    ) -> Page[Notification]:
        """Return a page of the notifications of some kinds, one by one, newest first."""
        ...

    async def members(
        self, recipient: AccountId, groups: Collection[Group], up_to: str | None, limit: int
    ) -> dict[Group, list[Member]]:
        """Return the newest `limit` notifications of each group that are not newer than `up_to`, newest first."""
        ...

    async def marks(self, recipient: AccountId, notifications: Collection[NotificationId]) -> ReadMarks:
        """Return the account's read marks, with the `single` ones among `notifications`."""
        ...
