"""The notifications of each account, and its read marks. One or two writes per event.

Read marks and notifications come from different entities, in any order. They are separate rows, joined when read.
"""

from __future__ import annotations

from events.event import Envelope, on
from events.notifications import NotificationRaised, NotificationWithdrawn
from events.personal import NotificationRead, NotificationsRead
from stores.notifications import NotificationRows

from .projector import Projector


class Notifications(Projector):
    """Notifications by recipient."""

    model = "notifications"
    version = 1

    def __init__(self, rows: NotificationRows) -> None:
        self.rows = rows

    @on(NotificationRaised)
    def raised(self, event: NotificationRaised, about: Envelope) -> None:
        """Add a notification."""
        self.rows.raised(event.recipient, event.notification, event.kind, event.actor, event.tweet)

    @on(NotificationWithdrawn)
    def withdrawn(self, event: NotificationWithdrawn, about: Envelope) -> None:
        """Remove the notification."""
        self.rows.withdrawn(event.recipient, event.notification)

    @on(NotificationRead)
    def read(self, event: NotificationRead, about: Envelope) -> None:
        """Mark one notification as read."""
        self.rows.read(event.owner, event.notification)

    @on(NotificationsRead)
    def read_up_to(self, event: NotificationsRead, about: Envelope) -> None:
        """Mark all notifications up to and including one as read."""
        self.rows.read_up_to(event.owner, event.up_to)
