"""Notification events, derived from the acts of other accounts. Topic `notifications`, keyed by recipient."""

from __future__ import annotations

from .event import Event, event
from .ids import AccountId, NotificationId, TweetId


@event(topic="notifications", key="recipient")
class NotificationRaised(Event, frozen=True, kw_only=True):
    """`recipient` has a new notification. `kind` is one of like, retweet, reply, quote, follow, mention.

    The id `notification` is derived from the time and the id of the source event, so raising it twice has no effect.
    Notifications of several recipients about one event have the same id; it is unique per recipient. `tweet` is the
    tweet liked or retweeted, or the reply, quote or mention itself.
    """

    notification: NotificationId
    recipient: AccountId
    kind: str
    actor: AccountId
    tweet: TweetId | None = None


@event(topic="notifications", key="recipient")
class NotificationWithdrawn(Event, frozen=True, kw_only=True):
    """The notification is void: its cause was undone or deleted."""

    notification: NotificationId
    recipient: AccountId
