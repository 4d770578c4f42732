"""/.well-known/jwks.json: the public keys of access tokens, for those who verify them elsewhere (RFC 7517)."""

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
    """The key's id, as in the header of a token."""
    use: str
    """Always `sig`."""
    alg: str
    """Always `RS256`."""
    n: str
    """The modulus."""
    e: str
    """The exponent."""


class JsonWebKeySet(msgspec.Struct, frozen=True):
    """The keys that verify now; the last one signs."""

    keys: list[JsonWebKey]
    """Each key."""


def jwks(listed: Callable[[], dict[str, Any]]) -> APIRouter:
    """The route; `listed` gives the key set of now."""
    routes = router("Accounts", prefix="")

    @routes.get("/.well-known/jwks.json", response_model=None)
    @answers(JsonWebKeySet)
    async def get_signing_keys() -> Response:
        """Get the public keys that access tokens are signed with; a key stays until its last token has expired."""
        headers = {"Cache-Control": f"public, max-age={_FRESH_S}"}
        return json_response(msgspec.convert(listed(), JsonWebKeySet), headers=headers)

    return routes
