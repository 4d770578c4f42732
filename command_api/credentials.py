"""Credentials: passwords and refresh tokens, kept beside the decision state, in its transactions, but not in the log.

Nothing here is a function of the log, so it is backed up and not rebuilt. No secret is kept: a password as its bcrypt
hash, a refresh token as SHA-256 of its parts (256 and 128 random bits need no slow hash). A session has one row,
however often its token is changed: `family` is a part that all its tokens share, so that a spent one is known for
what it is without a list of them.
"""

from __future__ import annotations

import msgspec

from events.ids import AccountId, Millis, SessionId

from .deciding import PrivateChange
from .facts import Question, Session


class SetPassword(msgspec.Struct, PrivateChange, frozen=True, gc=False):
    """From now on the account's password is the one with this bcrypt hash."""

    account: AccountId
    hash: bytes


class RefreshToken(msgspec.Struct, frozen=True, gc=False):
    """A refresh token as it is kept: digests of its two parts, and until when it can be used."""

    family: bytes
    secret: bytes
    expires_at: Millis


class KeepRefreshToken(msgspec.Struct, PrivateChange, frozen=True, gc=False):
    """The first refresh token of a session."""

    session: SessionId
    account: AccountId
    token: RefreshToken


class ReplaceRefreshToken(msgspec.Struct, PrivateChange, frozen=True, gc=False):
    """The next refresh token of a session. The one before, of the same family, is spent since `at`."""

    session: SessionId
    token: RefreshToken
    spent: bytes
    at: Millis


class RevokeSession(msgspec.Struct, PrivateChange, frozen=True, gc=False):
    """The session's refresh token is forgotten, and its access tokens are refused from the commit on."""

    session: SessionId


class Password(msgspec.Struct, frozen=True, gc=False):
    """An account's password, as its bcrypt hash."""

    account: AccountId
    hash: bytes


class PasswordFor(Question[Password | None], frozen=True):
    """The password that signs in with `login`, a user name or an e-mail address; None where there is none.

    No such account, and an imported one that was not claimed, are alike.
    """

    login: str


class PasswordOf(Question[Password | None], frozen=True):
    """The password of an account; None where it has none."""

    account: AccountId


class Family(msgspec.Struct, frozen=True, gc=False):
    """A session's refresh tokens: `token` is the one that is good now, `spent` the digest of the one spent last."""

    session: SessionId
    account: AccountId
    token: RefreshToken
    spent: bytes | None = None
    spent_at: Millis | None = None


class FamilyOf(Question[Family | None], frozen=True):
    """The session that a refresh token belongs to, by the digest of its family; None where it is over."""

    family: bytes


class SessionsExpired(Question[tuple[Session, ...]], frozen=True):
    """Up to `most` sessions whose refresh token can no longer be used at `now`, longest expired first."""

    now: Millis
    most: int
