"""The port of sessions: the open sessions of each account."""

from __future__ import annotations

from typing import NamedTuple, Protocol

from events.ids import AccountId, Millis, SessionId

from .pages import Page


class SignedInAt(NamedTuple):
    """A session that has not ended, with the client's `User-Agent` and IP address at its start."""

    session: SessionId
    started_at: Millis
    user_agent: str
    ip: str


class SessionRows(Protocol):
    """Rows that the projector writes."""

    def started(self, owner: AccountId, session: SignedInAt) -> None:
        """Add a session."""
        ...

    def ended(self, owner: AccountId, session: SessionId) -> None:
        """Remove a session that ended."""
        ...


class Sessions(Protocol):
    """Reads for the query API."""

    async def of(self, account: AccountId, before: str | None, limit: int) -> Page[SignedInAt]:
        """Return a page of the account's open sessions, newest first."""
        ...
