"""Notifications, derived from what others do. Topic `notifications`, keyed by recipient."""

from __future__ import annotations

from .event import Event, event
from .ids import AccountId, NotificationId, TweetId


@event(topic="notifications", key="recipient")
class NotificationRaised(Event, frozen=True, kw_only=True):
    """`recipient` may want to know. `kind` is one of like, retweet, reply, quote, follow, mention.

    `notification` is made of the time it happened and of the event that tells it, so that raising it twice is raising
    it once; it is the recipient's own, those of other recipients of one event have the same.
    `tweet` is the tweet liked or retweeted, or the reply, quote or mention itself.
    """

    notification: NotificationId
    recipient: AccountId
    kind: str
    actor: AccountId
    tweet: TweetId | None = None


@event(topic="notifications", key="recipient")
class NotificationWithdrawn(Event, frozen=True, kw_only=True):
    """What it told of was taken back."""

    notification: NotificationId
    recipient: AccountId
