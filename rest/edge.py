"""The outermost layer: what every request gets, whichever API answers it.

It is plain ASGI, because each layer of middleware costs as much as a whole hot read (5-10 us). It reads the headers
once, gives the exchange its id, holds limits for those who are not signed in, reads consistency tokens (a route waits
for them, since it knows what it reads), sends the hot routes straight to their handlers and everything else to FastAPI,
and turns errors into problems.
"""

from __future__ import annotations

import time
from collections.abc import Awaitable, Callable, Mapping
from functools import partial
from typing import Protocol

from events.log import Positions

from .authentication import NotSignedIn, Viewer
from .exchange import JSON, Exchange, Message, Reads, Receive, Reply, Scope, Send
from .problems import MEDIA_TYPE, ProblemError, as_problem, body_of
from .rate_limits import Policy, RateLimits, TooMany
from .signing import ConsistencyTokens

Hot = Callable[[Exchange, Scope, Receive], Awaitable[Reply]]
Match = Callable[[str, str, bytes], tuple[str, Hot] | None]
"""Method, path and query string to the route's name and handler, for those that go below FastAPI."""

API = "/api/v1"


class Telemetry(Protocol):
    """Who is told of each request."""

    def request(self, request_id: str, method: str, route: str, status: int, seconds: float) -> None:
        """A request was answered."""
        ...

    def fault(self, request_id: str, error: BaseException) -> None:
        """A request failed by a fault of ours."""
        ...

    def stale(self, why: str) -> None:
        """An answer says `Consistency: stale`: its read `waited` in vain for a token, or is known to be `behind`."""
        ...


class Applied(Protocol):
    """How far the read models have come."""

    async def wait_for(self, positions: Positions, timeout: float, reads: Reads) -> bool:
        """Wait until what `reads` names has applied `positions`; False when `timeout` seconds are not enough."""
        ...

    def behind(self, reads: Reads) -> bool:
        """Whether something that `reads` names is known to be seconds behind the log."""
        ...


class _HeadAnswered(Exception):
    """A HEAD has all that it is to get; what would go on for ever, as a stream does, ends here."""


class Edge:
    """The ASGI application that the server runs. `wait_s` is how long a read waits for its consistency tokens.

    `longer` names the paths whose bodies may have more than `most_bytes`, and how many.
    """

    def __init__(
        self,
        app: Callable[[Scope, Receive, Send], Awaitable[None]],
        *,
        match: Match,
        new_id: Callable[[], str],
        authenticate: Callable[[bytes], Viewer],
        applied: Applied,
        tokens: ConsistencyTokens,
        limits: RateLimits,
        anonymous_reads: Policy,
        telemetry: Telemetry,
        address_of: Callable[[Scope, dict[bytes, bytes]], str],
        most_bytes: int,
        longer: Mapping[str, int],
        wait_s: float,
    ) -> None:
        self._app = app
        self._match = match
        self._new_id = new_id
        self._authenticate = authenticate
        self._applied = applied
        self._tokens = tokens
        self._limits = limits
        self._anonymous_reads = (anonymous_reads,)
        self._telemetry = telemetry
        self._address_of = address_of
        self._most_bytes = most_bytes
        self._longer = longer
        self._wait_s = wait_s

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Answer one request."""
        if scope["type"] != "http":
            if scope["type"] == "websocket":
                headers = headers_of(scope)
                scope["exchange"] = Exchange(
                    headers, self._address_of(scope, headers), self._new_id, self._authenticate
                )
            await self._app(scope, receive, send)
            return
        started = time.perf_counter()
        headers = headers_of(scope)
        exchange = Exchange(headers, self._address_of(scope, headers), self._new_id, self._authenticate)
        scope["exchange"] = exchange
        method: str = scope["method"]
        route = "unmatched"
        status = 500
        begun = False
        try:
            if method == "GET" or method == "HEAD":
                await self._before_reading(scope["path"], exchange)
            found = self._match(method, scope["path"], scope["query_string"])
            if found is not None:
                route, handler = found
                reply = await handler(exchange, scope, receive)
                status = reply.status
                begun = True
                await _send_reply(send, reply, exchange.extra)
                return

            async def sending(message: Message) -> None:
                nonlocal status, begun
                if message["type"] == "http.response.start":
                    begun = True
                    status = message["status"]
                    message["headers"] = [*message["headers"], *exchange.extra]
                elif method == "HEAD":
                    await send({"type": "http.response.body", "body": b""})
                    if message.get("more_body", False):
                        raise _HeadAnswered
                    return
                await send(message)

            if method == "HEAD":
                scope["method"] = "GET"
            await self._app(scope, self._bounded(headers, receive, scope["path"]), sending)
            matched = scope.get("route")
            if matched is not None:
                route = API + matched.path if scope["path"].startswith(API) else matched.path
        except _HeadAnswered:
            pass
        except Exception as error:
            problem = as_problem(error)
            if problem is None:
                self._telemetry.fault(exchange.request_id, error)
                problem = ProblemError("internal", "something went wrong here; the fault has been logged")
            if begun:
                raise
            status = problem.problem.status
            await _send_reply(send, reply_of(problem, error, exchange), exchange.extra, is_head=method == "HEAD")
        finally:
            self._telemetry.request(exchange.request_id, method, route, status, time.perf_counter() - started)

    async def _before_reading(self, path: str, exchange: Exchange) -> None:
        if not path.startswith(API):
            return
        if exchange.viewer() is None:
            buckets = await self._limits.take(self._anonymous_reads, exchange.address)
            exchange.extra.append((b"ratelimit-policy", buckets[0].policy.header().encode()))
            exchange.extra.append((b"ratelimit", buckets[0].header().encode()))
        token = exchange.headers.get(b"consistency-token")
        positions = None
        if token is not None:
            try:
                positions = self._tokens.read(token.decode("latin-1"))
            except ProblemError as error:
                exchange.refused = error
                return
        exchange.is_stale = partial(self._is_stale, positions)

    async def _is_stale(self, positions: Positions | None, reads: Reads) -> bool:
        if positions is not None and not await self._applied.wait_for(positions, self._wait_s, reads):
            self._telemetry.stale("waited")
            return True
        if self._applied.behind(reads):
            self._telemetry.stale("behind")
            return True
        return False

    def _bounded(self, headers: dict[bytes, bytes], receive: Receive, path: str) -> Receive:
        most_bytes = self._longer.get(path, self._most_bytes)
        length = headers.get(b"content-length", b"")
        said = int(length) if length.isdigit() and len(length) < 20 else 0
        received = 0

        async def bounded() -> Message:
            nonlocal received
            if said > most_bytes:
                raise _too_large(most_bytes)
            message = await receive()
            received += len(message.get("body", b""))
            if received > most_bytes:
                raise _too_large(most_bytes)
            return message

        return bounded


def _too_large(most_bytes: int) -> ProblemError:
    return ProblemError("too-large", f"a request body may have {most_bytes} bytes")


def headers_of(scope: Scope) -> dict[bytes, bytes]:
    """The headers by name; one that was sent in several lines has their values with commas between (RFC 9110, 5.3)."""
    raw: list[tuple[bytes, bytes]] = scope["headers"]
    headers = dict(raw)
    if len(headers) < len(raw):
        lines: dict[bytes, list[bytes]] = {}
        for name, value in raw:
            lines.setdefault(name, []).append(value)
        headers = {name: b", ".join(values) for name, values in lines.items()}
    return headers


def reply_of(problem: ProblemError, error: BaseException, exchange: Exchange) -> Reply:
    """The answer that tells of a problem."""
    headers = [(b"content-type", MEDIA_TYPE.encode())]
    headers += [(name.lower().encode(), value.encode()) for name, value in problem.headers]
    if isinstance(error, TooMany):
        headers.append((b"retry-after", str(error.retry_after_s).encode()))
        headers.append((b"ratelimit-policy", error.bucket.policy.header().encode()))
        headers.append((b"ratelimit", error.bucket.header().encode()))
    if isinstance(error, NotSignedIn):
        headers.append((b"www-authenticate", error.challenge.encode()))
    return Reply(problem.problem.status, body_of(problem, exchange.request_id), headers)


async def _send_reply(send: Send, reply: Reply, extra: list[tuple[bytes, bytes]], *, is_head: bool = False) -> None:
    headers = [*reply.headers, *extra]
    if reply.status != 204 and reply.status != 304:
        headers.append((b"content-length", str(len(reply.body)).encode()))
    await send({"type": "http.response.start", "status": reply.status, "headers": headers})
    await send({"type": "http.response.body", "body": b"" if is_head else reply.body})


async def read_body(receive: Receive, most_bytes: int) -> bytes:
    """The whole body of a request. Raises the problem `too-large`."""
    message = await receive()
    body: bytes = message.get("body", b"")
    while message.get("more_body", False) and len(body) <= most_bytes:
        message = await receive()
        body += message.get("body", b"")
    if len(body) > most_bytes:
        raise _too_large(most_bytes)
    return body


def json_reply(body: bytes, *headers: tuple[bytes, bytes], status: int = 200) -> Reply:
    """An answer with a JSON body."""
    return Reply(status, body, [JSON, *headers])
