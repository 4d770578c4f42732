"""Pictures and videos by id, and the tweets that show each. One row per medium, and one per tweet that shows it."""

from __future__ import annotations

from events.event import Envelope, on
from events.media import MediaDeleted, MediaFinished, UploadStarted
from events.tweets import TweetPosted
from stores.media import MediaRows

from .projector import Projector


class Media(Projector):
    """The type and state of each medium, and the tweets that show it."""

    model = "media"
    version = 2

    def __init__(self, rows: MediaRows) -> None:
        self.rows = rows

    @on(UploadStarted)
    def started(self, event: UploadStarted, about: Envelope) -> None:
        """Add a medium whose upload is expected."""
        self.rows.started(event)

    @on(MediaFinished)
    def finished(self, event: MediaFinished, about: Envelope) -> None:
        """Mark the medium as finished: it can be shown."""
        self.rows.finished(event)

    @on(MediaDeleted)
    def deleted(self, event: MediaDeleted, about: Envelope) -> None:
        """Mark the medium as deleted."""
        self.rows.deleted(event.media)

    @on(TweetPosted)
    def used(self, event: TweetPosted, about: Envelope) -> None:
        """Add the tweet to the tweets that show its media."""
        if event.media:
            self.rows.used(event)
