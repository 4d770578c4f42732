"""Credentials: passwords and refresh tokens, kept beside the decision state, in its transactions, but not in the log.

Nothing here is a function of the log, so it is backed up and not rebuilt. No secret is kept: a password as its bcrypt
hash, a refresh token as SHA-256 of its parts (256 and 128 random bits need no slow hash). A session has one row,
however often its token is changed: `family` is a part that all its tokens share, so that a spent one is known for
what it is without a list of them.
"""

from __future__ import annotations

from dataclasses import dataclass

from events.ids import AccountId, Millis, SessionId

from .deciding import PrivateChange
from .facts import Question, Session


@dataclass(frozen=True, slots=True)
class SetPassword(PrivateChange):
    """From now on the account's password is the one with this bcrypt hash."""

    account: AccountId
    hash: bytes


@dataclass(frozen=True, slots=True)
class RefreshToken:
    """A refresh token as it is kept: digests of its two parts, and until when it can be used."""

    family: bytes
    secret: bytes
    expires_at: Millis


@dataclass(frozen=True, slots=True)
class KeepRefreshToken(PrivateChange):
    """The first refresh token of a session."""

    session: SessionId
    account: AccountId
    token: RefreshToken


@dataclass(frozen=True, slots=True)
class ReplaceRefreshToken(PrivateChange):
    """The next refresh token of a session; the one before is spent. Both are of one family."""

    session: SessionId
    token: RefreshToken


@dataclass(frozen=True, slots=True)
class RevokeSession(PrivateChange):
    """The session's refresh token is forgotten, and its access tokens are refused from the commit on."""

    session: SessionId


@dataclass(frozen=True, slots=True)
class Password:
    """An account's password, as its bcrypt hash."""

    account: AccountId
    hash: bytes


@dataclass(frozen=True, slots=True)
class PasswordFor(Question[Password | None]):
    """The password that signs in with `login`, a user name or an e-mail address; None where there is none.

    No such account, and an imported one that was not claimed, are alike.
    """

    login: str


@dataclass(frozen=True, slots=True)
class PasswordOf(Question[Password | None]):
    """The password of an account; None where it has none."""

    account: AccountId


@dataclass(frozen=True, slots=True)
class Family:
    """A session's refresh tokens: `token` is the one that is good now."""

    session: SessionId
    account: AccountId
    token: RefreshToken


@dataclass(frozen=True, slots=True)
class FamilyOf(Question[Family | None]):
    """The session that a refresh token belongs to, by the digest of its family; None where it is over."""

    family: bytes


@dataclass(frozen=True, slots=True)
class SessionsExpired(Question[tuple[Session, ...]]):
    """Up to `most` sessions whose refresh token can no longer be used at `now`, longest expired first."""

    now: Millis
    most: int
