"""Credentials on SQLite: tables of log.db beside the decision state, changed in the same transactions.

They are not a function of the log, so no rebuild touches them.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any

import apsw

from events.ids import AccountId, Clock, Millis, SessionId, account_number

from ..credentials import (
    Family,
    FamilyOf,
    KeepRefreshToken,
    Password,
    PasswordFor,
    PasswordOf,
    RefreshToken,
    ReplaceRefreshToken,
    RevokeSession,
    SessionsExpired,
    SetPassword,
)
from ..deciding import PrivateChange
from ..decision_rows import email_digest
from ..facts import Question, Session

CREDENTIALS_DDL = """
CREATE TABLE IF NOT EXISTS passwords (account INTEGER PRIMARY KEY, id TEXT NOT NULL, hash BLOB NOT NULL);
CREATE TABLE IF NOT EXISTS refresh_tokens (
    session TEXT PRIMARY KEY, account TEXT NOT NULL, family BLOB NOT NULL UNIQUE, secret BLOB NOT NULL,
    expires_at INTEGER NOT NULL, spent BLOB, spent_at INTEGER
) WITHOUT ROWID;
CREATE INDEX IF NOT EXISTS refresh_tokens_by_expiry ON refresh_tokens (expires_at);
CREATE TABLE IF NOT EXISTS revoked_sessions (session TEXT PRIMARY KEY, at INTEGER NOT NULL) WITHOUT ROWID;
CREATE INDEX IF NOT EXISTS revoked_sessions_by_time ON revoked_sessions (at);
"""


def create_credential_tables(connection: apsw.Connection) -> None:
    """Create the missing tables, and the columns that files of older versions lack."""
    connection.execute(CREDENTIALS_DDL)
    names = {row[0] for row in connection.execute("SELECT name FROM pragma_table_info('refresh_tokens')")}
    if "spent" not in names:
        connection.execute("ALTER TABLE refresh_tokens ADD COLUMN spent BLOB")
        connection.execute("ALTER TABLE refresh_tokens ADD COLUMN spent_at INTEGER")


class SqliteCredentialAnswers:
    """Answers the questions of command_api/credentials.py on one connection, in 5-10 us each."""

    def __init__(self, connection: apsw.Connection, email_key: bytes) -> None:
        self._execute = connection.execute
        self._email_key = email_key
        self.answers: Mapping[type[Question[Any]], Callable[[Any], Any]] = {
            PasswordFor: self._password_for,
            PasswordOf: self._password_of,
            FamilyOf: self._family_of,
            SessionsExpired: self._sessions_expired,
        }

    def _password_for(self, question: PasswordFor) -> Password | None:
        # A user name has no @, an address always has one. The digest of an address ignores case.
        by_email = "@" in question.login
        column, value = (
            ("email", email_digest(self._email_key, question.login)) if by_email else ("folded", question.login.lower())
        )
        row: Any = self._execute(
            "SELECT p.id, p.hash FROM decision_accounts AS a JOIN passwords AS p ON p.account = a.number"
            f" WHERE a.{column}=?",
            (value,),
        ).fetchone()
        return None if row is None else Password(AccountId(row[0]), row[1])

    def _password_of(self, question: PasswordOf) -> Password | None:
        number = account_number(question.account)
        row: Any = self._execute("SELECT id, hash FROM passwords WHERE account=?", (number,)).fetchone()
        return None if row is None else Password(AccountId(row[0]), row[1])

    def _family_of(self, question: FamilyOf) -> Family | None:
        row: Any = self._execute(
            "SELECT session, account, family, secret, expires_at, spent, spent_at FROM refresh_tokens WHERE family=?",
            (question.family,),
        ).fetchone()
        if row is None:
            return None
        session, account, family, secret, expires_at, spent, spent_at = row
        token = RefreshToken(family, secret, Millis(expires_at))
        return Family(SessionId(session), AccountId(account), token, spent, spent_at)

    def _sessions_expired(self, question: SessionsExpired) -> tuple[Session, ...]:
        rows: Any = self._execute(
            "SELECT session, account FROM refresh_tokens WHERE expires_at<=? ORDER BY expires_at LIMIT ?",
            (question.now, question.most),
        )
        return tuple(Session(SessionId(session), AccountId(account)) for session, account in rows)


class SqliteCredentialChanges:
    """Applies private changes in the open transaction of a command.

    `revoked` is called for each ended session after its end is durable (`committed`), never before.
    """

    def __init__(
        self, connection: apsw.Connection, clock: Clock, keep_ms: int, revoked: Callable[[SessionId, Millis], None]
    ) -> None:
        self._execute = connection.execute
        self._clock = clock
        self._keep_ms = keep_ms
        self._revoked = revoked
        self._uncommitted: list[tuple[SessionId, Millis]] = []
        self.changes: Mapping[type[PrivateChange], Callable[[Any], None]] = {
            SetPassword: self._set_password,
            KeepRefreshToken: self._keep_refresh_token,
            ReplaceRefreshToken: self._replace_refresh_token,
            RevokeSession: self._revoke_session,
        }

    def committed(self) -> None:
        """Call `revoked` for the ended sessions: the transaction is durable."""
        for session, at in self._uncommitted:
            self._revoked(session, at)
        self._uncommitted.clear()

    def rolled_back(self) -> None:
        """Forget the ended sessions: the transaction was rolled back."""
        self._uncommitted.clear()

    def _set_password(self, change: SetPassword) -> None:
        self._execute(
            "INSERT OR REPLACE INTO passwords VALUES (?, ?, ?)",
            (account_number(change.account), change.account, change.hash),
        )

    def _keep_refresh_token(self, change: KeepRefreshToken) -> None:
        token = change.token
        self._execute(
            "INSERT INTO refresh_tokens VALUES (?, ?, ?, ?, ?, NULL, NULL)",
            (change.session, change.account, token.family, token.secret, token.expires_at),
        )

    def _replace_refresh_token(self, change: ReplaceRefreshToken) -> None:
        self._execute(
            "UPDATE refresh_tokens SET secret=?, expires_at=?, spent=?, spent_at=? WHERE session=?",
            (change.token.secret, change.token.expires_at, change.spent, change.at, change.session),
        )

    def _revoke_session(self, change: RevokeSession) -> None:
        now = self._clock()
        self._execute("DELETE FROM refresh_tokens WHERE session=?", (change.session,))
        self._execute("DELETE FROM revoked_sessions WHERE at<=?", (now - self._keep_ms,))
        self._execute("INSERT OR REPLACE INTO revoked_sessions VALUES (?, ?)", (change.session, now))
        self._uncommitted.append((change.session, now))


def revoked_since(connection: apsw.Connection, time: Millis) -> list[tuple[SessionId, Millis]]:
    """Return the sessions that ended after `time`, oldest first, for a process that starts or polls."""
    rows: Any = connection.execute("SELECT session, at FROM revoked_sessions WHERE at>? ORDER BY at", (time,))
    return [(SessionId(session), Millis(at)) for session, at in rows]
