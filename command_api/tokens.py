"""Making tokens: access tokens, which say who somebody is for minutes, and refresh tokens, which get the next one."""

from __future__ import annotations

import base64
import hashlib
import hmac
import re
from typing import NamedTuple

import jwt

from events.ids import AccountId, Clock, Millis, Randomness, SessionId
from rest.authentication import ALGORITHM, TOKEN_TYPE

from .credentials import RefreshToken
from .signing_keys import KeyRing

_FAMILY_BYTES = 16
_SECRET_BYTES = 32
_SHAPE = re.compile(r"[A-Za-z0-9_-]{64}")


class AccessTokens:
    """Signs access tokens (RFC 9068). 0.3 ms each, which sign-in and refreshing can spend on the event loop."""

    def __init__(self, keys: KeyRing, clock: Clock, *, issuer: str, lifetime_ms: int) -> None:
        self._keys = keys
        self._clock = clock
        self._issuer = issuer
        self.lifetime_s = lifetime_ms // 1000

    def issue(self, account: AccountId, session: SessionId) -> str:
        """A token for an account in a session."""
        now = self._clock() // 1000
        claims = {
            "iss": self._issuer,
            "sub": account,
            "sid": session,
            "role": "user",  # the roles that moderators give come with moderation
            "iat": now,
            "exp": now + self.lifetime_s,
        }
        key = self._keys.current
        return jwt.encode(claims, key.private, ALGORITHM, headers={"kid": key.kid, "typ": TOKEN_TYPE})


class Issued(NamedTuple):
    """A refresh token: `text` for the client, `kept` for the store."""

    text: str
    kept: RefreshToken


class Shown(NamedTuple):
    """A refresh token that a client shows: its two parts, and their digests."""

    family: bytes
    secret: bytes
    family_digest: bytes
    secret_digest: bytes


class RefreshTokens:
    """Makes and reads refresh tokens: 128 bits that all tokens of a session share and 256 of each one's own.

    A token's successor is derived from it with a key of the server, so that the same one can be made again and none has
    to be kept in clear; who has a token but not the key cannot make its successor. `idle_ms` is how long a token can be
    used, from when it was made.
    """

    def __init__(self, randomness: Randomness, clock: Clock, idle_ms: int, key: bytes) -> None:
        self._key = hashlib.blake2b(b"refresh-token", key=key[:64]).digest()
        self._randomness = randomness
        self._clock = clock
        self._idle_ms = idle_ms

    def first(self) -> Issued:
        """The first token of a session."""
        return self._issued(self._randomness(_FAMILY_BYTES), self._randomness(_SECRET_BYTES))

    def successor(self, shown: Shown) -> Issued:
        """The token that follows one that is shown; the same each time."""
        return self._issued(shown.family, hmac.digest(self._key, shown.family + shown.secret, "sha256"))

    def _issued(self, family: bytes, secret: bytes) -> Issued:
        kept = RefreshToken(_digest(family), _digest(secret), Millis(self._clock() + self._idle_ms))
        return Issued(base64.urlsafe_b64encode(family + secret).decode(), kept)

    def read(self, text: str) -> Shown | None:
        """The parts of a token; None where it has not the shape of one."""
        if not _SHAPE.fullmatch(text):
            return None
        raw = base64.urlsafe_b64decode(text)
        family, secret = raw[:_FAMILY_BYTES], raw[_FAMILY_BYTES:]
        return Shown(family, secret, _digest(family), _digest(secret))


def _digest(part: bytes) -> bytes:
    return hashlib.sha256(part).digest()
