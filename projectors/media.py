"""Pictures and videos by id, and the tweets that show each. One row a medium, one a tweet that shows it."""

from __future__ import annotations

from events.event import Envelope, on
from events.media import MediaDeleted, MediaFinished, UploadStarted
from events.tweets import TweetPosted
from stores.media import MediaRows

from .projector import Projector


class Media(Projector):
    """What each medium is, how far it has come, and where it was shown."""

    model = "media"
    version = 2

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

    @on(TweetPosted)
    def used(self, event: TweetPosted, about: Envelope) -> None:
        """Shown in a tweet."""
        if event.media:
            self.rows.used(event)
