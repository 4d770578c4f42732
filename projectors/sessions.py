"""The sessions of each account. One row per session, one write per event."""

from __future__ import annotations

from events.event import Envelope, on
from events.personal import SessionEnded, SessionStarted
from stores.sessions import SessionRows, SignedInAt

from .projector import Projector


class Sessions(Projector):
    """The sessions that have not ended."""

    model = "sessions"
    version = 1

    def __init__(self, rows: SessionRows) -> None:
        self.rows = rows

    @on(SessionStarted)
    def started(self, event: SessionStarted, about: Envelope) -> None:
        """Add a session."""
        self.rows.started(event.owner, SignedInAt(event.session, about.time, event.user_agent, event.ip))

    @on(SessionEnded)
    def ended(self, event: SessionEnded, about: Envelope) -> None:
        """Remove the session."""
        self.rows.ended(event.owner, event.session)
