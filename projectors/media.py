"""Pictures and videos by id. One row a medium, one write an event."""

from __future__ import annotations

from events.event import Envelope, on
from events.media import MediaDeleted, MediaFinished, UploadStarted
from stores.media import MediaRows

from .projector import Projector


class Media(Projector):
    """What each medium is, and how far it has come."""

    model = "media"
    version = 1

    def __init__(self, rows: MediaRows) -> None:
        self.rows = rows

    @on(UploadStarted)
    def started(self, event: UploadStarted, about: Envelope) -> None:
        """Awaited."""
        self.rows.started(event)

    @on(MediaFinished)
    def finished(self, event: MediaFinished, about: Envelope) -> None:
        """There to be shown."""
        self.rows.finished(event)

    @on(MediaDeleted)
    def deleted(self, event: MediaDeleted, about: Envelope) -> None:
        """Gone."""
        self.rows.deleted(event.media)
