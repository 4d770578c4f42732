"""Credentials on PostgreSQL: tables beside the decision state, changed in the same transactions.

They are not a function of the log, so no rebuild touches them. NOTIFY tells all processes of an ended session
(revocations.py). Transactions with a NOTIFY wait for each other's commit, but sessions end rarely.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from typing import Any

from events.ids import AccountId, Clock, Millis, SessionId, account_number
from events.postgres.connections import Connection, Statement, select

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
from .answers import Asked, Asking, Row

REVOKED = "minitwitter_revoked"
"""The channel of ended sessions; the payload is `<session> <time>`."""


def asking_credentials(email_key: bytes) -> Mapping[type[Question[Any]], Asking]:
    """Return the subqueries for the questions of command_api/credentials.py."""

    def password_for(question: PasswordFor) -> Asked:
        # A user name has no @, an address always has one. The digest of an address ignores case.
        by_email = "@" in question.login
        value: Any = email_digest(email_key, question.login) if by_email else question.login.lower()
        sql = "SELECT p.id, p.hash FROM decision_accounts AS a JOIN passwords AS p ON p.account = a.number WHERE "
        return Asked(sql + ("a.email=%s" if by_email else "a.folded=%s"), (value,), 2, _password)

    return {
        PasswordFor: password_for,
        PasswordOf: _password_of,
        FamilyOf: _family_of,
        SessionsExpired: _sessions_expired,
    }


def _password(row: Row) -> Password | None:
    return None if row[0] is None else Password(AccountId(row[0]), row[1])


def _password_of(question: PasswordOf) -> Asked:
    sql = "SELECT id, hash FROM passwords WHERE account=%s"
    return Asked(sql, (account_number(question.account),), 2, _password)


def _family_of(question: FamilyOf) -> Asked:
    def means(row: Row) -> Family | None:
        session, account, family, secret, expires_at, spent, spent_at = row
        if session is None:
            return None
        token = RefreshToken(family, secret, Millis(expires_at))
        return Family(SessionId(session), AccountId(account), token, spent, spent_at)

    sql = "SELECT session, account, family, secret, expires_at, spent, spent_at FROM refresh_tokens WHERE family=%s"
    return Asked(sql, (question.family,), 7, means)


def _sessions_expired(question: SessionsExpired) -> Asked:
    def means(row: Row) -> tuple[Session, ...]:
        pairs = zip(row[0] or (), row[1] or (), strict=True)
        return tuple(Session(SessionId(session), AccountId(account)) for session, account in pairs)

    sql = (
        "SELECT array_agg(session ORDER BY expires_at), array_agg(account ORDER BY expires_at) FROM (SELECT * FROM"
        " refresh_tokens WHERE expires_at<=%s ORDER BY expires_at LIMIT %s) AS expired"
    )
    return Asked(sql, (question.now, question.most), 2, means)


ChangePrivately = Callable[[Any], Sequence[Statement]]
"""The statements of a private change."""


class PostgresCredentialChanges:
    """Makes the statements of private changes. Ending a session also deletes revocations older than `keep_ms`."""

    def __init__(self, clock: Clock, keep_ms: int) -> None:
        self._clock = clock
        self._keep_ms = keep_ms
        self.changes: Mapping[type[PrivateChange], ChangePrivately] = {
            SetPassword: self._set_password,
            KeepRefreshToken: self._keep_refresh_token,
            ReplaceRefreshToken: self._replace_refresh_token,
            RevokeSession: self._revoke_session,
        }

    def _set_password(self, change: SetPassword) -> list[Statement]:
        sql = (
            "INSERT INTO passwords (account, id, hash, changed) VALUES (%s, %s, %s, %s) ON CONFLICT (account)"
            " DO UPDATE SET id=excluded.id, hash=excluded.hash, changed=excluded.changed, published=false"
        )
        return [(sql, (account_number(change.account), change.account, change.hash, self._clock()))]

    def _keep_refresh_token(self, change: KeepRefreshToken) -> list[Statement]:
        token = change.token
        row = (change.session, change.account, token.family, token.secret, token.expires_at)
        return [("INSERT INTO refresh_tokens VALUES (%s, %s, %s, %s, %s)", row)]

    def _replace_refresh_token(self, change: ReplaceRefreshToken) -> list[Statement]:
        row = (change.token.secret, change.token.expires_at, change.spent, change.at, change.session)
        return [("UPDATE refresh_tokens SET secret=%s, expires_at=%s, spent=%s, spent_at=%s WHERE session=%s", row)]

    def _revoke_session(self, change: RevokeSession) -> list[Statement]:
        now = self._clock()
        return [
            ("DELETE FROM refresh_tokens WHERE session=%s", (change.session,)),
            # SKIP LOCKED, so that two sessions that end at once do not wait for the same old rows.
            (
                "DELETE FROM revoked_sessions WHERE session IN"
                " (SELECT session FROM revoked_sessions WHERE at<=%s LIMIT 100 FOR UPDATE SKIP LOCKED)",
                (now - self._keep_ms,),
            ),
            (
                "INSERT INTO revoked_sessions VALUES (%s, %s) ON CONFLICT (session) DO UPDATE SET at=excluded.at",
                (change.session, now),
            ),
            ("SELECT pg_notify(%s, %s)", (REVOKED, f"{change.session} {now}")),
        ]


async def revoked_since(connection: Connection, time: Millis) -> list[tuple[SessionId, Millis]]:
    """Return the sessions that ended after `time`, oldest first, for a process that starts or polls."""
    rows = await select(connection, "SELECT session, at FROM revoked_sessions WHERE at>%s ORDER BY at", (time,))
    return [(SessionId(session), Millis(at)) for session, at in rows]
