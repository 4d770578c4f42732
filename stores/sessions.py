"""The port of sessions: where each account is signed in."""

from __future__ import annotations

from typing import NamedTuple, Protocol

from events.ids import AccountId, Millis, SessionId

from .pages import Page


class SignedInAt(NamedTuple):
    """A session that has not ended, and where it began: the client's name for itself, and its address."""

    session: SessionId
    started_at: Millis
    user_agent: str
    ip: str


class SessionRows(Protocol):
    """What the projector writes."""

    def started(self, owner: AccountId, session: SignedInAt) -> None:
        """A session began."""
        ...

    def ended(self, owner: AccountId, session: SessionId) -> None:
        """A session ended."""
        ...


class Sessions(Protocol):
    """What the query API reads."""

    async def of(self, account: AccountId, before: str | None, limit: int) -> Page[SignedInAt]:
        """The sessions of an account, newest first."""
        ...
