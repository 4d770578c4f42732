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
"""Between signs of life of a quiet stream, which keep proxies from closing it."""
_LOOK_S = 4.0
"""Between looks whether the session of a quiet stream still holds: it ends within 5 s of its session."""

_OF = "stream"
# OpenAPI 3.1 has no schema of one event; the frames of /ws have it (rest/openapi.py).
_EVENTS: dict[str, Any] = {
    "example": (
        "event: counts\nid: kJ1nZ3Jh\n"
        'data: {"tweet_id":"01a1f7ba-5b63-7001-8d2c-9b1f2a6c7d10",'
        '"counts":{"replies":0,"retweets":1,"quotes":0,"likes":4,"bookmarks":0}}\n\n'
    ),
}


class Streams:
    """What the realtime routes work with: the hub, and who may open a stream with a ticket."""

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
        """Who opens a stream, by token or by ticket. Raises NotSignedIn."""
        if ticket is not None:
            return self.redeem(ticket)
        return exchange_of(connection).signed_in()

    def since(self, last: str | None) -> Positions | None:
        """The positions in a `Last-Event-ID`. Raises `bad-cursor`."""
        return None if last is None else Positions.parse(self.cursors.read(_OF, last))

    async def open(self, viewer: Viewer, network: str, last: str | None) -> Open:
        """Open a stream. Raises a 429 where its account or address has its share, a 503 where all have the most."""
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
        """The id with which a client can come back."""
        return self.cursors.make(_OF, str(positions))

    async def events(self, viewer: Viewer, subscriber: Subscriber) -> AsyncIterator[Sent]:
        """The stream's events; `still-here`, at its beginning and when it was quiet for a while, has but an id.

        Ends when the session or the server does.
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
    """An open stream; `close` has to be called in the end."""

    subscriber: Subscriber
    close: Callable[[], None]


def streams_of(connection: Request | WebSocket) -> Streams:
    """What the application was built with."""
    return cast(Streams, connection.app.state.streams)


async def _first_of(*work: Coroutine[Any, Any, None]) -> None:
    """Run all until one is done; the others are cancelled. Its error, if it has one, is raised."""
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
    # Whatever a client says, only its leaving matters; a body that breaks its bounds ends the stream as well.
    with suppress(ProblemError):
        while (await receive())["type"] != kind:
            pass


class EventStream(Response):
    """An answer that goes on until the client leaves or `chunks` end; then `ended` is called, whatever happened."""

    media_type = "text/event-stream"

    def __init__(self, chunks: AsyncIterator[bytes], ended: Callable[[], None]) -> None:
        super().__init__(headers={"Cache-Control": "no-store", "X-Accel-Buffering": "no"})
        del self.headers["content-length"]
        self._chunks = chunks
        self._ended = ended

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Send it."""

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
    last_event_id: Annotated[str | None, Header(description="The id of the last event that was seen")] = None,
) -> Response:
    """Follow what happens in your feed, as it happens.

    The events are `tweet` (an item as in `/feed`), `tweet.edited` (the tweet), `tweet.deleted` (`{tweet_id}`),
    `notification` (an item as in `/notifications`), `counts` and `trend`.

    Sign in with a token, or with a ticket of `POST /stream/tickets`. `counts` are told of the newest tweets in your
    feed, and so are edits and deletions of tweets that others passed on. With `Last-Event-ID` a stream goes on where
    another ended; `reset` says that it cannot: read anew. `still-here`, at the beginning and after 15 s or so without
    events, has only an id to go on from. What `data` is, the frames of `/ws` say, which are the same.
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
    """The same events as /stream, as JSON frames `{event, id, data}`."""
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
        if socket.client_state is WebSocketState.CONNECTED:  # and nobody listens to it any more: a close waits for that
            await socket.close(1001)
    finally:
        close()


def _close_code(error: NotSignedIn | ProblemError) -> int:
    if isinstance(error, NotSignedIn):
        return 4401
    return 4429 if error.problem.status == 429 else 4400
