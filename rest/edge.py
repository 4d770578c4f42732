"""The outermost layer: the common handling of every request, for both APIs.

It is plain ASGI, because each layer of middleware costs as much as a whole hot read (5-10 us). It reads the headers
once, gives the exchange its id, checks the budgets, and lets routes wait for Consistency-Tokens (each route declares
its reads). It sends hot routes to their handlers and all others to FastAPI, and turns errors into problems.
"""

from __future__ import annotations

import time
from collections.abc import Awaitable, Callable, Iterable
from functools import partial
from typing import Protocol

from events.consistency_token import ConsistencyToken

from .admission import API, Admission
from .authentication import NotSignedIn, Viewer
from .bodies import Bodies
from .exchange import Exchange, Message, PlainResponse, Reads, Receive, Scope, Send
from .problems import MEDIA_TYPE, ProblemError, as_problem, body_of
from .rate_limits import TooMany
from .signing import ConsistencyTokens

Header = tuple[bytes, bytes]
Hot = Callable[[Exchange, Scope, Receive], Awaitable[PlainResponse]]
Match = Callable[[str, str, bytes], tuple[str, Hot] | None]
"""From method, path and query string to the route's name and handler; None for requests that FastAPI handles."""

METHODS = frozenset(("GET", "HEAD", "POST", "PUT", "PATCH", "DELETE", "OPTIONS", "TRACE", "CONNECT"))
"""The methods that metrics name (RFC 9110, RFC 5789); all others are `other`."""
_UNMATCHED = "unmatched"
"""The route in metrics and logs if no route was found. The path itself would be an unbounded label."""
_AUTH = f"{API}/auth/"
_CACHE = b"cache-control"
_NO_STORE = (_CACHE, b"no-store")
_NO_CACHE = (_CACHE, b"no-cache")
_GUARDS = (
    (b"x-content-type-options", b"nosniff"),
    (b"referrer-policy", b"no-referrer"),
    (b"content-security-policy", b"default-src 'none'; frame-ancestors 'none'"),
)
"""Headers that protect browsers, in every response (OWASP ASVS 5.0, 3.4 and 14.3)."""


class Telemetry(Protocol):
    """Receives a report of each request."""

    def request(self, request_id: str, method: str, route: str, status: int, seconds: float, path: str = "") -> None:
        """Report an answered request. `path` is the requested path if no route was found."""
        ...

    def fault(self, request_id: str, error: BaseException) -> None:
        """Report a request that failed because of a bug or an unexpected error."""
        ...

    def stale(self, why: str) -> None:
        """Report a stale response: the wait for a token timed out (`waited`), or the lag is too long (`behind`)."""
        ...


class AppliedPositions(Protocol):
    """The positions that the read models have applied."""

    async def wait_for(self, token: ConsistencyToken, timeout: float, reads: Reads) -> bool:
        """Wait until the read models of `reads` have applied a token's writes; return False after `timeout` seconds."""
        ...

    def behind(self, reads: Reads) -> bool:
        """Return whether a read model of `reads` is known to be more than BEHIND_S behind the log."""
        ...


class _HeadAnswered(Exception):
    """A HEAD request has its headers. Raised to end a response that would continue, such as a stream."""


class Edge:
    """The ASGI application that the server runs. `wait_s` is how long a read waits for its Consistency-Tokens."""

    def __init__(
        self,
        app: Callable[[Scope, Receive, Send], Awaitable[None]],
        *,
        match: Match,
        new_id: Callable[[], str],
        authenticate: Callable[[bytes], Viewer],
        applied: AppliedPositions,
        tokens: ConsistencyTokens,
        admission: Admission,
        bodies: Bodies,
        telemetry: Telemetry,
        address_of: Callable[[Scope, dict[bytes, bytes]], str],
        wait_s: float,
    ) -> None:
        self._app = app
        self._match = match
        self._new_id = new_id
        self._authenticate = authenticate
        self._applied = applied
        self._tokens = tokens
        self._admission = admission
        self._bodies = bodies
        self._telemetry = telemetry
        self._address_of = address_of
        self._wait_s = wait_s

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Answer one request."""
        if scope["type"] != "http":
            if scope["type"] == "websocket":
                headers = headers_of(scope)
                exchange = Exchange(headers, self._address_of(scope, headers), self._new_id, self._authenticate)
                scope["exchange"] = exchange
                try:
                    await self._admission.admit("GET", scope["path"], exchange)
                except NotSignedIn:
                    pass  # the route closes the WebSocket with a code that a browser can read
                except TooMany:
                    await receive()
                    await send({"type": "websocket.close", "code": 1013})
                    return
            await self._app(scope, receive, send)
            return
        started = time.perf_counter()
        headers = headers_of(scope)
        exchange = Exchange(headers, self._address_of(scope, headers), self._new_id, self._authenticate)
        scope["exchange"] = exchange
        method: str = scope["method"]
        route = _UNMATCHED
        status = 500
        begun = False
        body = self._bodies.open(scope["path"], headers, receive, exchange.network)
        if body is not None:
            receive, send = body.receive, partial(body.answer, send)
        try:
            if not headers.get(b"host") and scope["http_version"] == "1.1":
                raise ProblemError("bad-request", "an HTTP/1.1 request needs a Host header (RFC 9112, 3.2)")
            await self._admission.admit(method, scope["path"], exchange)
            if method == "GET" or method == "HEAD":
                exchange.is_stale = self._is_stale
            found = self._match(method, scope["path"], scope["query_string"])
            if found is not None:
                route, handler = found
                reply = await handler(exchange, scope, receive)
                status = reply.status
                begun = True
                await _send_reply(send, reply, _completed(reply.headers, exchange, scope["path"]))
                return

            async def sending(message: Message) -> None:
                nonlocal status, begun
                if message["type"] == "http.response.start":
                    begun = True
                    status = message["status"]
                    message["headers"] = _completed(message["headers"], exchange, scope["path"])
                elif method == "HEAD":
                    await send({"type": "http.response.body", "body": b""})
                    if message.get("more_body", False):
                        raise _HeadAnswered
                    return
                await send(message)

            if method == "HEAD":
                scope["method"] = "GET"
            await self._app(scope, receive, sending)
            matched = scope.get("route")
            if matched is not None:
                route = matched.path
        except _HeadAnswered:
            pass
        except Exception as error:
            problem = as_problem(error)
            if problem is None:
                self._telemetry.fault(exchange.request_id, error)
                problem = ProblemError("internal", "an unexpected error; it has been logged")
            if begun:
                raise
            status = problem.problem.status
            reply = reply_of(problem, error, exchange)
            sent = _completed(reply.headers, exchange, scope["path"])
            await _send_reply(send, reply, sent, is_head=method == "HEAD")
        finally:
            if body is not None:
                body.close()
            named = method if method in METHODS else "other"
            path = scope["path"] if route is _UNMATCHED else ""
            self._telemetry.request(exchange.request_id, named, route, status, time.perf_counter() - started, path)

    async def _is_stale(self, token: bytes | None, reads: Reads) -> bool:
        if token is not None:
            positions = self._tokens.read(token.decode("latin-1"))
            if not await self._applied.wait_for(positions, self._wait_s, reads):
                self._telemetry.stale("waited")
                return True
        if self._applied.behind(reads):
            self._telemetry.stale("behind")
            return True
        return False


def headers_of(scope: Scope) -> dict[bytes, bytes]:
    """Return the headers by name. The values of a repeated header are joined with commas (RFC 9110, 5.3)."""
    raw: list[tuple[bytes, bytes]] = scope["headers"]
    headers = dict(raw)
    if len(headers) < len(raw):
        lines: dict[bytes, list[bytes]] = {}
        for name, value in raw:
            lines.setdefault(name, []).append(value)
        headers = {name: b", ".join(values) for name, values in lines.items()}
    return headers


def reply_of(problem: ProblemError, error: BaseException, exchange: Exchange) -> PlainResponse:
    """Return the response for a problem."""
    headers = [(b"content-type", MEDIA_TYPE.encode())]
    headers += [(name.lower().encode(), value.encode()) for name, value in problem.headers]
    if isinstance(error, TooMany):
        headers.append((b"retry-after", str(error.retry_after_s).encode()))
        headers.append((b"ratelimit-policy", error.bucket.policy.header().encode()))
        headers.append((b"ratelimit", error.bucket.header().encode()))
    if isinstance(error, NotSignedIn):
        headers.append((b"www-authenticate", error.challenge.encode()))
    return PlainResponse(problem.problem.status, body_of(problem, exchange.request_id), headers)


def _completed(headers: Iterable[Header], exchange: Exchange, path: str) -> list[Header]:
    """Add the headers that every response has, unless the response sets them itself.

    Responses to signed-in clients must not be stored by caches.
    """
    completed = [*headers, *exchange.extra]
    names = {name for name, _ in completed}
    if _CACHE not in names:
        private = b"authorization" in exchange.headers or path.startswith(_AUTH)
        completed.append(_NO_STORE if private else _NO_CACHE)
    completed += [guard for guard in _GUARDS if guard[0] not in names]
    return completed


async def _send_reply(send: Send, reply: PlainResponse, headers: list[Header], *, is_head: bool = False) -> None:
    if reply.status != 204 and reply.status != 304:
        headers.append((b"content-length", str(len(reply.body)).encode()))
    await send({"type": "http.response.start", "status": reply.status, "headers": headers})
    await send({"type": "http.response.body", "body": b"" if is_head else reply.body})
