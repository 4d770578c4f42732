"""The problems of a route: those that it declares, and those that follow from its parameters, body and read ports.

The OpenAPI document lists exactly these. A test provokes each of them on each route
(tests/scenarios/test_routes_declare_problems.py).
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, TypeVar

from fastapi.routing import APIRoute

from .admission import refusals
from .exchange import Reads
from .problems import slug_of
from .routing import asks_who, needs_sign_in, query_names

F = TypeVar("F", bound=Callable[..., Any])

_OF_BODIES = frozenset(("bad-request", "too-slow", "too-large", "wrong-type"))
_OF_KEYS = frozenset(("bad-request", "still-running", "idempotency-key-reused"))


def problems(*kinds: str | type[BaseException]) -> Callable[[F], F]:
    """Declare the problems of a route, by name or by the errors that `explains` maps to them.

    Problems that follow from its parameters, its body and its reads are not declared: `problems_of` adds them.
    """

    def mark(endpoint: F) -> F:
        endpoint.__dict__["problems"] = kinds
        return endpoint

    return mark


def takes_key(endpoint: F) -> F:
    """Declare that a route honours an `Idempotency-Key`."""
    endpoint.__dict__["takes_key"] = True
    return endpoint


def reads_of(endpoint: Callable[..., Any]) -> Reads:
    """Return the read ports that a route declares."""
    reads: Reads = endpoint.__dict__.get("reads", ())
    return reads


def honours_keys(route: APIRoute) -> bool:
    """Return whether a route honours an `Idempotency-Key`."""
    return bool(route.endpoint.__dict__.get("takes_key", False))


def problems_of(route: APIRoute, method: str) -> frozenset[str]:
    """Return the names of all problems that a route can answer with.

    Left out are problems of any path: `internal`, and the `bad-request` of a request of HTTP/1.1 without a Host.
    """
    declared = route.endpoint.__dict__.get("problems", ())
    found = {kind if isinstance(kind, str) else slug_of(kind) for kind in declared}
    found |= {"invalid-value"} | refusals(method, route.path)
    if needs_sign_in(route.dependant) or asks_who(route.dependant):
        found.add("not-signed-in")
    if reads_of(route.endpoint):
        found |= {"bad-consistency-token", "unavailable"}
    if "cursor" in query_names(route.dependant):
        found.add("bad-cursor")
    if any(field.alias == "if-match" for field in route.dependant.header_params):
        found.add("version-mismatch")
    if route.body_field is not None:
        found |= {"malformed-json", *_OF_BODIES}
    if honours_keys(route):
        found |= _OF_BODIES | _OF_KEYS
    if method != "GET":
        found.add("unavailable")
    return frozenset(found)
