"""Personal events: bookmarks, mutes, read marks, sessions. Topic `personal`, keyed by owner; never on the firehose."""

from __future__ import annotations

from .event import Event, event
from .ids import AccountId, NotificationId, SessionId, TweetId


@event(topic="personal", key="owner")
class TweetBookmarked(Event, frozen=True, kw_only=True):
    """`owner` bookmarked a tweet."""

    owner: AccountId
    tweet: TweetId
    author: AccountId


@event(topic="personal", key="owner")
class BookmarkRemoved(Event, frozen=True, kw_only=True):
    """`owner` removed the bookmark."""

    owner: AccountId
    tweet: TweetId
    author: AccountId


@event(topic="personal", key="owner")
class AccountMuted(Event, frozen=True, kw_only=True):
    """`owner` muted `muted`, who is not notified."""

    owner: AccountId
    muted: AccountId


@event(topic="personal", key="owner")
class AccountUnmuted(Event, frozen=True, kw_only=True):
    """`owner` unmuted `muted`."""

    owner: AccountId
    muted: AccountId


@event(topic="personal", key="owner")
class NotificationRead(Event, frozen=True, kw_only=True):
    """`owner` read one notification."""

    owner: AccountId
    notification: NotificationId


@event(topic="personal", key="owner")
class NotificationsRead(Event, frozen=True, kw_only=True):
    """`owner` read all notifications up to and including `up_to`."""

    owner: AccountId
    up_to: NotificationId


@event(topic="personal", key="owner", sealed=("ip",), subject="owner")
class SessionStarted(Event, frozen=True, kw_only=True):
    """`owner` signed in. A session is a family of refresh tokens; the tokens are not in the log."""

    owner: AccountId
    session: SessionId
    user_agent: str = ""
    ip: str = ""


@event(topic="personal", key="owner")
class SessionEnded(Event, frozen=True, kw_only=True):
    """A session ended.

    `reason` is one of `logout`, `logout_all`, `password_changed`, `token_reused`, `revoked`, `expired`, `too_many`.
    """

    owner: AccountId
    session: SessionId
    reason: str
