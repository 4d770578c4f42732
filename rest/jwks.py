"""/.well-known/jwks.json: the public keys of access tokens, for other services that verify them (RFC 7517)."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import msgspec
from fastapi import APIRouter, Response

from .openapi import answers
from .routing import json_response, router

_FRESH_S = 300


class JsonWebKey(msgspec.Struct, frozen=True):
    """A public RSA key; `n` and `e` are base64url."""

    kty: str
    """Always `RSA`."""
    kid: str
    """The id of the key, as in the header of a token."""
    use: str
    """Always `sig`."""
    alg: str
    """Always `RS256`."""
    n: str
    """The modulus."""
    e: str
    """The exponent."""


class JsonWebKeySet(msgspec.Struct, frozen=True):
    """The public keys that verify access tokens. The last one is the current signing key."""

    keys: list[JsonWebKey]
    """The keys, the oldest first."""


def jwks(listed: Callable[[], dict[str, Any]]) -> APIRouter:
    """Return the route. `listed` returns the current key set."""
    routes = router("Accounts", prefix="")

    @routes.get("/.well-known/jwks.json", response_model=None)
    @answers(JsonWebKeySet)
    async def get_signing_keys() -> Response:
        """Get the public keys that verify access tokens.

        A key stays listed until its last token has expired.
        """
        headers = {"Cache-Control": f"public, max-age={_FRESH_S}"}
        return json_response(msgspec.convert(listed(), JsonWebKeySet), headers=headers)

    return routes
