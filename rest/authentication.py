"""Verify access tokens (RFC 9068, RS256), for both APIs and outside any framework.

Verifying a signature takes 60-180 us, so the content of a token is cached by the token's SHA-256 until it expires: a
hit takes 1.3 us. Revocations are looked up each time, so the tokens of an ended session are refused at once.
"""

from __future__ import annotations

import hashlib
from dataclasses import dataclass
from typing import Any, Protocol

import jwt
from cachetools import LRUCache
from cryptography.hazmat.primitives.asymmetric.rsa import RSAPublicKey

from events.accounts import Role
from events.ids import AccountId, Clock, Millis, SessionId, is_id

from .revocations import Revocations
from .roles import Roles

ALGORITHM = "RS256"
TOKEN_TYPE = "at+jwt"  # noqa: S105  # the media type of RFC 9068, so that no other JWT is accepted as an access token
LONGEST_HEADER = 4096
_SKEW_MS = 30_000
"""How far the clocks of two processes may differ."""
_REQUIRED = ["iss", "sub", "sid", "role", "iat", "exp"]


@dataclass(frozen=True, slots=True)
class Viewer:
    """The account and session of a request, and the account's role at that moment."""

    account: AccountId
    session: SessionId
    role: Role


class NotSignedIn(Exception):
    """The request has no valid credentials: a 401, with `challenge` as `WWW-Authenticate`."""

    challenge = 'Bearer realm="minitwitter"'


class TokenRefused(NotSignedIn):
    """The request's credentials are invalid (RFC 6750, 3.1). `reason` never contains text of the client."""

    def __init__(self, reason: str) -> None:
        super().__init__(reason)
        self.challenge = f'Bearer realm="minitwitter", error="invalid_token", error_description="{reason}"'


class VerificationKeys(Protocol):
    """The public keys that verify access tokens."""

    def public_key(self, kid: str) -> RSAPublicKey | None:
        """Return the key with this id; None if it does not exist or was retired."""
        ...


class Authenticator:
    """Verifies access tokens, and caches the `most` recently used ones; about 580 bytes each."""

    def __init__(
        self,
        keys: VerificationKeys,
        revocations: Revocations,
        roles: Roles,
        clock: Clock,
        *,
        issuer: str,
        lifetime_ms: int,
        most: int = 10_000,
    ) -> None:
        self._keys = keys
        self._is_revoked = revocations.is_revoked
        self._roles = roles
        self._clock = clock
        self._issuer = issuer
        self._lifetime_ms = lifetime_ms
        self._seen: LRUCache[bytes, tuple[Viewer, Millis]] = LRUCache(most)
        self.asked = 0
        self.verified = 0
        """How many of the `asked` tokens needed a signature check; the others were cached."""

    def authenticate(self, authorization: bytes) -> Viewer:
        """Return the viewer of the token in an `Authorization` header. Raises TokenRefused."""
        self.asked += 1
        digest = hashlib.sha256(authorization).digest()
        seen = self._seen.get(digest)
        if seen is None:
            seen = self._seen[digest] = self._verify(authorization)
        viewer, expires_at = seen
        if self._clock() >= expires_at:
            self._seen.pop(digest, None)
            raise TokenRefused("the access token has expired")
        if self._is_revoked(viewer.session):
            raise TokenRefused("the session has ended")
        role = self._roles.of(viewer.account)
        if role != viewer.role:
            viewer = Viewer(viewer.account, viewer.session, role)
            self._seen[digest] = viewer, expires_at
        return viewer

    def _verify(self, authorization: bytes) -> tuple[Viewer, Millis]:
        scheme, _, token = authorization.partition(b" ")
        if scheme.lower() != b"bearer":
            raise TokenRefused("the scheme of Authorization must be Bearer")
        if len(authorization) > LONGEST_HEADER:
            raise TokenRefused("this is not an access token")
        self.verified += 1
        claims = self._claims(token.strip())
        account, session, expires = claims["sub"], claims["sid"], claims["exp"]
        if not (isinstance(session, str) and is_id(account) and is_id(session)):
            raise TokenRefused("this is not an access token")
        if not (isinstance(claims["role"], str) and isinstance(expires, int)):
            raise TokenRefused("this is not an access token")
        begins = claims.get("nbf", 0)
        if not isinstance(begins, int | float):
            raise TokenRefused("this is not an access token")
        if begins * 1000 > self._clock() + _SKEW_MS:
            raise TokenRefused("the access token is not valid yet")
        # No token is accepted for longer than the configured lifetime, whatever its `exp` says.
        latest = self._clock() + self._lifetime_ms
        viewer = Viewer(AccountId(account), SessionId(session), self._roles.of(account))
        return viewer, Millis(min(expires * 1000, latest))

    def _claims(self, token: bytes) -> dict[str, Any]:
        try:
            header = jwt.get_unverified_header(token)
            if header.get("typ") != TOKEN_TYPE:
                raise TokenRefused("this is not an access token")
            key = self._keys.public_key(str(header.get("kid")))
            if key is None:
                raise TokenRefused("the key that signed the access token is unknown or retired")
            # The caller checks the times, by the clock that was passed in.
            options: Any = {"require": _REQUIRED, "verify_exp": False, "verify_iat": False, "verify_nbf": False}
            return jwt.decode(token, key, algorithms=[ALGORITHM], issuer=self._issuer, options=options)
        except jwt.InvalidSignatureError:
            raise TokenRefused("the signature of the access token is invalid") from None
        except jwt.InvalidIssuerError:
            raise TokenRefused("the access token is from another issuer") from None
        except jwt.InvalidTokenError:
            raise TokenRefused("this is not an access token") from None
