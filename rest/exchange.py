"""One request and its response, read once from the raw ASGI scope and shared by all code that handles it."""

from __future__ import annotations

import re
from collections.abc import Awaitable, Callable, Iterable, MutableMapping
from typing import Any, NamedTuple

from starlette.requests import HTTPConnection

from .addresses import network_of
from .authentication import NotSignedIn, Viewer
from .rate_limits import Bucket

Scope = MutableMapping[str, Any]
Message = MutableMapping[str, Any]
Receive = Callable[[], Awaitable[Message]]
Send = Callable[[Message], Awaitable[None]]

_PRINTABLE = re.compile(rb"[\x21-\x7e]{1,128}")
_TRACEPARENT = re.compile(rb"00-(?!0{32})[0-9a-f]{32}-(?!0{16})[0-9a-f]{16}-[0-9a-f]{2}")

JSON = (b"content-type", b"application/json")
_STALE = (b"consistency", b"stale")

Reads = tuple[str, ...]
"""The names of the read ports that a route uses."""


class PlainResponse(NamedTuple):
    """A response, for the routes outside FastAPI."""

    status: int
    body: bytes
    headers: list[tuple[bytes, bytes]]


def _trace_of(id_: str) -> bytes:
    """Return a new `traceparent` (W3C) from an id. The right half of an id is random, as a span id should be."""
    digits = id_.replace("-", "")
    return f"00-{digits}-{digits[16:]}-00".encode()


class Exchange:
    """A request's headers, its viewer, and the additional headers of its response."""

    __slots__ = (
        "_authenticate",
        "_viewer",
        "address",
        "extra",
        "headers",
        "is_stale",
        "network",
        "request_id",
        "traceparent",
    )

    def __init__(
        self,
        headers: dict[bytes, bytes],
        address: str,
        new_id: Callable[[], str],
        authenticate: Callable[[bytes], Viewer],
    ) -> None:
        self.headers = headers
        self.address = address
        self.network = network_of(address)
        """The key for limits by address."""
        given = headers.get(b"x-request-id")
        made = ""
        if given is not None and _PRINTABLE.fullmatch(given):
            self.request_id = given.decode()
        else:
            self.request_id = made = new_id()
        trace = headers.get(b"traceparent")
        if trace is None or not _TRACEPARENT.fullmatch(trace):
            trace = _trace_of(made or new_id())
        self.traceparent = trace.decode()
        self.extra: list[tuple[bytes, bytes]] = [
            (b"x-request-id", self.request_id.encode()),
            (b"traceparent", trace),
        ]
        self.is_stale: Callable[[bytes | None, Reads], Awaitable[bool]] | None = None
        """Waits for Consistency-Tokens and returns whether the read is stale. None: the request does not read."""
        self._authenticate = authenticate
        self._viewer: Viewer | None = None

    def viewer(self) -> Viewer | None:
        """Return the viewer; None if the request has no credentials. Raises NotSignedIn if they are invalid."""
        if self._viewer is None:
            authorization = self.headers.get(b"authorization")
            if authorization is None:
                return None
            self._viewer = self._authenticate(authorization)
        return self._viewer

    def tell(self, buckets: Iterable[Bucket]) -> None:
        """Add the state of limits to the response. Limits that are taken later are narrower, and come first."""
        self.extra[:0] = [
            line
            for bucket in buckets
            for line in (
                (b"ratelimit-policy", bucket.policy.header().encode()),
                (b"ratelimit", bucket.header().encode()),
            )
        ]

    async def before_reading(self, reads: Reads) -> None:
        """Wait until these read ports have applied the request's Consistency-Tokens; mark the response if it is stale.

        Raises the problem `bad-consistency-token`.
        """
        if not reads or self.is_stale is None:
            return
        if await self.is_stale(self.headers.get(b"consistency-token"), reads):
            self.extra.append(_STALE)

    def signed_in(self) -> Viewer:
        """Return the viewer. Raises NotSignedIn if there is none."""
        viewer = self.viewer()
        if viewer is None:
            raise NotSignedIn("this needs an access token")
        return viewer


def exchange_of(connection: HTTPConnection) -> Exchange:
    """Return the exchange of a route's request (a FastAPI dependency)."""
    exchange: Exchange = connection.scope["exchange"]
    return exchange


def signed_in(connection: HTTPConnection) -> Viewer:
    """Return the viewer; 401 if there is none (a FastAPI dependency)."""
    return exchange_of(connection).signed_in()


def anyone(connection: HTTPConnection) -> Viewer | None:
    """Return the viewer, or None (a FastAPI dependency)."""
    return exchange_of(connection).viewer()
