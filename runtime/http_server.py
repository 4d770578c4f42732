"""The HTTP server, and the application that answers while the real one still starts."""

from __future__ import annotations

import asyncio
import socket
from collections.abc import Awaitable, Callable
from typing import Any, Final

import msgspec

from events.ids import HybridClock
from runtime.connections import ENOUGH_FILES, Connections, raise_file_limit
from runtime.readiness import Part, Readiness

Scope = dict[str, Any]
Application = Callable[[Any, Any, Any], Awaitable[None]]

BACKLOG = 1024
FIRST_BYTE_S = 20.0
"""Seconds: how long a connection may stay silent before a request, and how long its headers may take."""
LONGEST_HEAD: Final = 64 * 1024
"""The maximum size of a request's line and headers, in bytes; more is a 431. Granian's default is 400 KiB."""


class AddressInUse(Exception):
    """Another program listens on the address."""


class Front:
    """The ASGI application until the real one is ready: it answers which part is being waited for.

    `waiting_for` names the parts that are down until then.
    """

    def __init__(self, waiting_for: Callable[[], Part]) -> None:
        self._waiting_for = waiting_for
        self._new_id = HybridClock().issue
        self.application: Application = self._starting

    def __call__(self, scope: Any, receive: Any, send: Any) -> Awaitable[None]:
        """Answer one request."""
        return self.application(scope, receive, send)

    async def _starting(self, scope: Scope, receive: Any, send: Any) -> None:
        if scope["type"] != "http":
            return
        given = dict(scope["headers"]).get(b"x-request-id", b"").decode("latin-1")
        request_id = given or self._new_id()
        status, kind = 503, "application/json"
        body: dict[str, Any]
        if scope["path"] == "/healthz":
            status, body = 200, {"status": "alive"}
        elif scope["path"] == "/readyz":
            body = msgspec.to_builtins(Readiness.of([self._waiting_for()]))
        else:
            kind = "application/problem+json"
            detail = f"the server is starting: {self._waiting_for().detail}"
            body = {"type": "/problems/unavailable", "title": "A store is unavailable", "status": 503, "detail": detail}
            body["instance"] = request_id
        encoded = msgspec.json.encode(body)
        headers = [(b"content-type", kind.encode()), (b"content-length", str(len(encoded)).encode())]
        headers.append((b"x-request-id", request_id.encode("latin-1")))
        if status == 503:
            headers.append((b"retry-after", b"1"))
        await send({"type": "http.response.start", "status": status, "headers": headers})
        await send({"type": "http.response.body", "body": encoded})


class Server:
    """Granian inside our event loop, which the command side uses, too: no request changes threads."""

    def __init__(
        self,
        application: Application,
        host: str,
        port: int,
        connections: Connections | None = None,
        first_byte_s: float = FIRST_BYTE_S,
    ) -> None:
        from granian.constants import HTTPModes, Interfaces
        from granian.http import HTTP1Settings
        from granian.server.embed import Server as Granian

        self._granian = Granian(
            application,
            address=host,
            port=port,
            interface=Interfaces.ASGINL,
            # To detect HTTP/2 by the first bytes, it would wait for them without a limit, and a connection with 200
            # requests at once would count as one.
            http=HTTPModes.http1,
            http1_settings=HTTP1Settings(header_read_timeout=round(first_byte_s * 1000), max_buffer_size=LONGEST_HEAD),
            backlog=BACKLOG,
            backpressure=ENOUGH_FILES,  # otherwise it accepts at most as many connections as fit in the backlog
            log_enabled=False,
        )
        self._connections = connections
        self._watching: asyncio.Task[None] | None = None
        self._serving: asyncio.Task[None] | None = None

    def start(self) -> None:
        """Listen and serve."""
        raise_file_limit()
        if self._connections is not None:
            self._watching = asyncio.create_task(self._connections.watch())
        self._serving = asyncio.create_task(self._granian.serve())

    @property
    def ended(self) -> asyncio.Task[None]:
        """Return a future that is done when the server has ended. Without `stop` that is a fault."""
        assert self._serving is not None
        return self._serving

    async def stop(self, timeout: float) -> None:
        """Accept no more connections and finish running requests, for at most `timeout` seconds."""
        if self._watching is not None:
            self._watching.cancel()
        self._granian.stop()  # type: ignore[no-untyped-call]  # granian has no types here
        await asyncio.wait((self.ended,), timeout=timeout)


def free_port(host: str, port: int) -> int:
    """Return the port to listen on. Raises AddressInUse, before anything else is started."""
    family = socket.AF_INET6 if ":" in host else socket.AF_INET
    with socket.socket(family, socket.SOCK_STREAM) as probe:
        probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        try:
            probe.bind((host, port))
        except OSError as error:
            raise AddressInUse(
                f"{host}:{port} cannot be listened on ({error.strerror}); stop what does, or choose another port"
                " (--port N; with make, PORT=N)"
            ) from None
        return int(probe.getsockname()[1])
