"""Sessions on Cassandra: one row for each session, by account and 30 days. The row is removed when the session ends."""

from __future__ import annotations

from events.ids import AccountId, Millis, SessionId, from_bytes, to_bytes

from ..pages import Page
from ..sessions import SessionRows, Sessions, SignedInAt
from .buckets import MONTH_MS, ListedRows, Listing, ListingReader
from .model import Model
from .session import CassandraSession
from .sink import CassandraSink

SESSIONS = Listing("sessions", ("account",), "session", ("started_at", "user_agent", "ip"), MONTH_MS)


class CassandraSessionRows:
    """The SessionRows port."""

    def __init__(self, sink: CassandraSink, keyspace: str) -> None:
        self._rows = ListedRows(sink, keyspace, SESSIONS)

    def started(self, owner: AccountId, session: SignedInAt) -> None:
        """Add a session."""
        id_, *values = session
        self._rows.put((to_bytes(owner),), id_, *values)

    def ended(self, owner: AccountId, session: SessionId) -> None:
        """Remove a session that ended."""
        self._rows.remove((to_bytes(owner),), session)


class CassandraSessions:
    """The Sessions port."""

    def __init__(self, session: CassandraSession, keyspace: str) -> None:
        self._rows = ListingReader(session, keyspace, SESSIONS)

    async def of(self, account: AccountId, before: str | None, limit: int) -> Page[SignedInAt]:
        """Return a page of the account's open sessions, newest first."""
        rows, next_ = await self._rows.page((to_bytes(account),), before, limit)
        found = [SignedInAt(SessionId(from_bytes(id_)), Millis(at), agent, ip) for id_, at, agent, ip in rows]
        return Page(found, next_)


MODEL: Model[SessionRows, Sessions] = Model(("sessions",), CassandraSessionRows, CassandraSessions)
