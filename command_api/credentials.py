"""Passwords and refresh tokens: stored beside the decision state, in its transactions, but not in the log.

Credentials are not a function of the log, so they are backed up and not rebuilt. No secret is stored in clear: of a
password the bcrypt hash, of a refresh token the SHA-256 of its two parts (128 and 256 random bits need no slow hash).
Each session has one row, however often its token is replaced. All its tokens share the part `family`, so a spent token
is recognised without a list of spent tokens.
"""

from __future__ import annotations

import msgspec

from events.ids import AccountId, Millis, SessionId

from .deciding import PrivateChange
from .facts import Question, Session


class SetPassword(msgspec.Struct, PrivateChange, frozen=True, gc=False):
    """Set the password of an account, given as its bcrypt hash."""

    account: AccountId
    hash: bytes


class RefreshToken(msgspec.Struct, frozen=True, gc=False):
    """A refresh token as it is stored: the SHA-256 digests of its two parts, and its expiry."""

    family: bytes
    secret: bytes
    expires_at: Millis


class KeepRefreshToken(msgspec.Struct, PrivateChange, frozen=True, gc=False):
    """Store the first refresh token of a session."""

    session: SessionId
    account: AccountId
    token: RefreshToken


class ReplaceRefreshToken(msgspec.Struct, PrivateChange, frozen=True, gc=False):
    """Replace the refresh token of a session by the next one of the same family.

    `spent` is the digest of the replaced token's secret part, `at` the time at which it was spent.
    """

    session: SessionId
    token: RefreshToken
    spent: bytes
    at: Millis


class RevokeSession(msgspec.Struct, PrivateChange, frozen=True, gc=False):
    """Delete the refresh token of a session. Its access tokens are refused from the commit on."""

    session: SessionId


class Password(msgspec.Struct, frozen=True, gc=False):
    """An account's password, as its bcrypt hash."""

    account: AccountId
    hash: bytes


class PasswordFor(Question[Password | None], frozen=True):
    """The password of the account with the user name or e-mail address `login`.

    None if there is no such account, and if it was imported and not claimed.
    """

    login: str


class PasswordOf(Question[Password | None], frozen=True):
    """The password of an account; None if it has none."""

    account: AccountId


class Family(msgspec.Struct, frozen=True, gc=False):
    """The refresh tokens of a session: `token` is the current one, `spent` the digest of the one spent last."""

    session: SessionId
    account: AccountId
    token: RefreshToken
    spent: bytes | None = None
    spent_at: Millis | None = None


class FamilyOf(Question[Family | None], frozen=True):
    """The session of a refresh token, by the digest of its family; None if the session has ended."""

    family: bytes


class SessionsExpired(Question[tuple[Session, ...]], frozen=True):
    """Up to `most` sessions with a refresh token that has expired at `now`, the longest expired first."""

    now: Millis
    most: int
