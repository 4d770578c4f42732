"""Personal matters: bookmarks, mutes, read marks, sessions. Topic `personal`, keyed by owner; never on the firehose."""

from __future__ import annotations

from .event import Event, event
from .ids import AccountId, NotificationId, SessionId, TweetId


@event(topic="personal", key="owner")
class TweetBookmarked(Event, frozen=True, kw_only=True):
    """`owner` keeps a tweet for later."""

    owner: AccountId
    tweet: TweetId
    author: AccountId


@event(topic="personal", key="owner")
class BookmarkRemoved(Event, frozen=True, kw_only=True):
    """`owner` keeps it no longer."""

    owner: AccountId
    tweet: TweetId
    author: AccountId


@event(topic="personal", key="owner")
class AccountMuted(Event, frozen=True, kw_only=True):
    """`owner` does not want to see `muted`, who is not told."""

    owner: AccountId
    muted: AccountId


@event(topic="personal", key="owner")
class AccountUnmuted(Event, frozen=True, kw_only=True):
    """`owner` wants to see `muted` again."""

    owner: AccountId
    muted: AccountId


@event(topic="personal", key="owner")
class NotificationRead(Event, frozen=True, kw_only=True):
    """One notification was read."""

    owner: AccountId
    notification: NotificationId


@event(topic="personal", key="owner")
class NotificationsRead(Event, frozen=True, kw_only=True):
    """All notifications up to and with `up_to` were read."""

    owner: AccountId
    up_to: NotificationId


@event(topic="personal", key="owner", sealed=("ip",), subject="owner")
class SessionStarted(Event, frozen=True, kw_only=True):
    """Signed in. A session is a family of refresh tokens; the tokens are not in the log."""

    owner: AccountId
    session: SessionId
    user_agent: str = ""
    ip: str = ""


@event(topic="personal", key="owner")
class SessionEnded(Event, frozen=True, kw_only=True):
    """Signed out. `reason` is one of `logout`, `logout_all`, `password_changed`, `token_reused`, `revoked`, `expired`,
    `too_many`."""

    owner: AccountId
    session: SessionId
    reason: str
