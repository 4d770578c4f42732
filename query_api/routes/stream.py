"""Realtime: /stream over Server-Sent Events, /ws over WebSocket; both send the same events."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Awaitable, Callable, Coroutine
from contextlib import ExitStack, suppress
from typing import Annotated, Any, NamedTuple, cast

import msgspec
from fastapi import APIRouter, Header, Query, Request, Response, WebSocket
from starlette.websockets import WebSocketState

from events.log import Positions
from rest.authentication import NotSignedIn, Viewer
from rest.exchange import Message, Receive, Scope, Send, exchange_of
from rest.openapi import tells
from rest.problems import ProblemError
from rest.route_problems import problems
from rest.routing import router
from rest.shares import Shares
from rest.signing import Cursors

from ..realtime import Hub, Sent, Subscriber
from ..serving import ACTIVITIES, reads
from ..stream_events import EVENTS, Reset

HEARTBEAT_S = 15.0
"""The time between heartbeats of a quiet stream; they keep proxies from closing it."""
_LOOK_S = 4.0
"""The time between checks of a quiet stream's session, so that the stream ends within 5 s of its session."""

_OF = "stream"
# OpenAPI 3.1 cannot describe one event; the frames of /ws have a schema (rest/openapi.py).
_EVENTS: dict[str, Any] = {
    "example": (
        "event: counts\nid: kJ1nZ3Jh\n"
        'data: {"tweet_id":"01a1f7ba-5b63-7001-8d2c-9b1f2a6c7d10",'
        '"counts":{"replies":0,"retweets":1,"quotes":0,"likes":4,"bookmarks":0}}\n\n'
    ),
}


class Streams:
    """The dependencies of the realtime routes: the hub, tickets, sessions and the limits of open streams."""

    def __init__(
        self,
        hub: Hub,
        cursors: Cursors,
        redeem: Callable[[str], Viewer],
        still_holds: Callable[[Viewer], bool],
        most: int,
        of_account: Shares,
        of_address: Shares,
        heartbeat_s: float = HEARTBEAT_S,
    ) -> None:
        self.hub = hub
        self.cursors = cursors
        self.redeem = redeem
        self.still_holds = still_holds
        self.most = most
        self._of_account = of_account
        self._of_address = of_address
        self.heartbeat_s = heartbeat_s

    def viewer(self, connection: Request | WebSocket, ticket: str | None) -> Viewer:
        """Return the viewer that opens a stream, by token or by ticket. Raises NotSignedIn."""
        if ticket is not None:
            return self.redeem(ticket)
        return exchange_of(connection).signed_in()

    def since(self, last: str | None) -> Positions | None:
        """Return the positions in a `Last-Event-ID`. Raises `bad-cursor`."""
        return None if last is None else Positions.parse(self.cursors.read(_OF, last))

    async def open(self, viewer: Viewer, network: str, last: str | None) -> Open:
        """Open a stream. Raises a 429 if its account or address has its share, a 503 if this process has the most."""
        since = self.since(last)
        with ExitStack() as shares:
            shares.enter_context(self._of_account.one(viewer.account))
            shares.enter_context(self._of_address.one(network))
            if self.hub.open >= self.most:
                raise ProblemError("unavailable", "too many streams are open here", headers=(("retry-after", "5"),))
            subscriber = await self.hub.subscribe(viewer.account, since)
            shares.callback(self.hub.unsubscribe, subscriber)
            return Open(subscriber, shares.pop_all().close)

    def id_of(self, positions: Positions) -> str:
        """Return the event id with which a client can reconnect."""
        return self.cursors.make(_OF, str(positions))

    async def events(self, viewer: Viewer, subscriber: Subscriber) -> AsyncIterator[Sent]:
        """Yield the stream's events. `still-here` comes first and as a heartbeat; it carries only an id.

        Ends with the session or when the server stops.
        """
        yield Sent("still-here", b"null", subscriber.began)
        look_s, quiet_s = min(_LOOK_S, self.heartbeat_s), 0.0
        while self.still_holds(viewer):
            try:
                sent = await asyncio.wait_for(subscriber.waiting.get(), look_s)
            except TimeoutError:
                quiet_s += look_s
                if quiet_s < self.heartbeat_s:
                    continue
                sent = Sent("still-here", b"null", subscriber.at)
            if sent is None or not self.still_holds(viewer):
                return
            quiet_s = 0.0
            yield sent


class Open(NamedTuple):
    """An open stream; `close` must be called at its end."""

    subscriber: Subscriber
    close: Callable[[], None]


def streams_of(connection: Request | WebSocket) -> Streams:
    """Return the application's `Streams`."""
    return cast(Streams, connection.app.state.streams)


async def _first_of(*work: Coroutine[Any, Any, None]) -> None:
    """Run all coroutines until one is done and cancel the others. Raises its error, if it has one."""
    tasks = [asyncio.ensure_future(each) for each in work]
    try:
        done, _ = await asyncio.wait(tasks, return_when=asyncio.FIRST_COMPLETED)
    finally:
        for task in tasks:
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)
    for task in done:
        task.result()


async def _until(kind: str, receive: Callable[[], Awaitable[Message]]) -> None:
    # Messages of the client are ignored; its disconnect ends the stream, and so does a body that exceeds its bounds.
    with suppress(ProblemError):
        while (await receive())["type"] != kind:
            pass


class EventStream(Response):
    """A response that continues until the client disconnects or `chunks` end. Then `ended` is called, also after an
    error.
    """

    media_type = "text/event-stream"

    def __init__(self, chunks: AsyncIterator[bytes], ended: Callable[[], None]) -> None:
        super().__init__(headers={"Cache-Control": "no-store", "X-Accel-Buffering": "no"})
        del self.headers["content-length"]
        self._chunks = chunks
        self._ended = ended

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Send the response."""

        async def sending() -> None:
            await send({"type": "http.response.start", "status": 200, "headers": self.raw_headers})
            async for chunk in self._chunks:
                await send({"type": "http.response.body", "body": chunk, "more_body": True})
            await send({"type": "http.response.body", "body": b""})

        try:
            await _first_of(sending(), _until("http.disconnect", receive))
        finally:
            self._ended()


stream: APIRouter = router("Realtime")

Ticket = Annotated[str | None, Query(description="From POST /stream/tickets, for browsers", max_length=2000)]


@stream.get(
    "/stream",
    status_code=200,  # FastAPI looks for a default in the class, which has none
    response_class=EventStream,
    responses={200: {"description": "Events, as they happen", "content": {"text/event-stream": _EVENTS}}},
)
@problems("bad-cursor")
@reads("home_feed", "notifications", "tweets", "counts", *ACTIVITIES)
@tells({**EVENTS, "reset": Reset, "still-here": None})
async def stream_events(
    request: Request,
    ticket: Ticket = None,
    last_event_id: Annotated[str | None, Header(description="The id of the last event that was received")] = None,
) -> Response:
    """Follow the events of your feed as they happen.

    The events are `tweet` (an item as in `/feed`), `tweet.edited` (the tweet), `tweet.deleted` (`{tweet_id}`),
    `notification` (an item as in `/notifications`), `counts` and `trend`.

    Sign in with a token, or with a ticket of `POST /stream/tickets`. `counts` are sent for the newest tweets of your
    feed; edits and deletions are sent for these too, retweeted ones included. With `Last-Event-ID` a stream continues
    where another ended. `reset` says that it cannot continue: read the resources again. `still-here` has only an id to
    continue from; it comes at the beginning and after about 15 s without events. The frames of `/ws` have the same
    `data`, with schemas.
    """
    streams = streams_of(request)
    viewer = streams.viewer(request, ticket)
    subscriber, close = await streams.open(viewer, exchange_of(request).network, last_event_id)

    async def chunks() -> AsyncIterator[bytes]:
        yield b"retry: 2000\n"  # with the first event: not every client takes a block without data
        async for sent in streams.events(viewer, subscriber):
            id_ = streams.id_of(sent.positions).encode()
            yield b"event: %s\nid: %s\ndata: %s\n\n" % (sent.event.encode(), id_, sent.data)

    return EventStream(chunks(), close)


class Frame(msgspec.Struct, frozen=True):
    """One event on a WebSocket."""

    event: str
    id: str
    data: msgspec.Raw


@stream.websocket("/ws")
async def web_socket(socket: WebSocket, ticket: str | None = None, last_event_id: str | None = None) -> None:
    """Send the events of /stream as JSON frames `{event, id, data}`."""
    streams = streams_of(socket)
    try:
        viewer = streams.viewer(socket, ticket)
        subscriber, close = await streams.open(viewer, exchange_of(socket).network, last_event_id)
    except (NotSignedIn, ProblemError) as error:
        await socket.accept()
        await socket.close(_close_code(error), str(error)[:120])
        return

    async def pump() -> None:
        async for sent in streams.events(viewer, subscriber):
            frame = Frame(sent.event, streams.id_of(sent.positions), msgspec.Raw(sent.data))
            await socket.send_text(msgspec.json.encode(frame).decode())

    try:
        await socket.accept()
        await _first_of(pump(), _until("websocket.disconnect", socket.receive))
        if socket.client_state is WebSocketState.CONNECTED:  # `_until` no longer receives, which closing needs to do
            await socket.close(1001)
    finally:
        close()


def _close_code(error: NotSignedIn | ProblemError) -> int:
    if isinstance(error, NotSignedIn):
        return 4401
    return 4429 if error.problem.status == 429 else 4400
