"""Sessions on SQLite: one table, clustered by account and session. The row of a session is removed when it ends."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import apsw

from events.ids import AccountId, Millis, SessionId, account_number, from_bytes, to_bytes

from ..pages import Page
from ..sessions import SessionRows, Sessions, SignedInAt
from .model import Model
from .views import Tables

SESSIONS = Tables(
    model="sessions",
    version=1,
    tables={
        "sessions": """(
            account INTEGER, session BLOB, started_at INTEGER NOT NULL, user_agent TEXT NOT NULL, ip TEXT NOT NULL,
            PRIMARY KEY (account, session DESC)) WITHOUT ROWID"""
    },
)


class SqliteSessionRows:
    """The SessionRows port."""

    def __init__(self, connection: apsw.Connection, names: Mapping[str, str]) -> None:
        self._execute = connection.execute
        self._insert = "INSERT OR REPLACE INTO {sessions} VALUES (?, ?, ?, ?, ?)".format(**names)
        self._delete = "DELETE FROM {sessions} WHERE account=? AND session=?".format(**names)

    def started(self, owner: AccountId, session: SignedInAt) -> None:
        """Add a session."""
        self._execute(
            self._insert,
            (account_number(owner), to_bytes(session.session), session.started_at, session.user_agent, session.ip),
        )

    def ended(self, owner: AccountId, session: SessionId) -> None:
        """Remove a session that ended."""
        self._execute(self._delete, (account_number(owner), to_bytes(session)))


class SqliteSessions:
    """The Sessions port."""

    def __init__(self, connection: apsw.Connection, names: Mapping[str, str]) -> None:
        self._execute = connection.execute
        select = "SELECT session, started_at, user_agent, ip FROM {sessions} WHERE account=?".format(**names)
        self._first = f"{select} ORDER BY session DESC LIMIT ?"
        self._further = f"{select} AND session<? ORDER BY session DESC LIMIT ?"

    async def of(self, account: AccountId, before: str | None, limit: int) -> Page[SignedInAt]:
        """Return a page of the account's open sessions, newest first."""
        number = account_number(account)
        rows: Any = (
            self._execute(self._first, (number, limit + 1))
            if before is None
            else self._execute(self._further, (number, to_bytes(before), limit + 1))
        )
        found = [SignedInAt(SessionId(from_bytes(id_)), Millis(at), agent, ip) for id_, at, agent, ip in rows]
        return Page(found[:limit], found[limit - 1].session if len(found) > limit else None)


MODEL: Model[SessionRows, Sessions] = Model(SESSIONS, SqliteSessionRows, SqliteSessions)
