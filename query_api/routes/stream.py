"""Realtime: /stream over Server-Sent Events, /ws over WebSocket; both send the same events."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Callable
from typing import Annotated, cast

import msgspec
from fastapi import APIRouter, Header, Query, Request, Response, WebSocket
from fastapi.responses import StreamingResponse
from rest.authentication import NotSignedIn, Viewer

from events.log import Positions
from rest.exchange import exchange_of
from rest.problems import ProblemError
from rest.routing import router
from rest.signing import Cursors

from ..realtime import Hub, Sent, Subscriber

HEARTBEAT_S = 4.0
"""Between comments that keep proxies from closing; each also looks whether the session still holds (5 s)."""

_OF = "stream"


class Streams:
    """What the realtime routes work with: the hub, and who may open a stream with a ticket."""

    def __init__(
        self,
        hub: Hub,
        cursors: Cursors,
        redeem: Callable[[str], Viewer],
        still_holds: Callable[[Viewer], bool],
        most: int,
    ) -> None:
        self.hub = hub
        self.cursors = cursors
        self.redeem = redeem
        self.still_holds = still_holds
        self.most = most

    def viewer(self, connection: Request | WebSocket, ticket: str | None) -> Viewer:
        """Who opens a stream, by token or by ticket. Raises NotSignedIn."""
        if ticket is not None:
            return self.redeem(ticket)
        return exchange_of(connection).signed_in()

    def since(self, last: str | None) -> Positions | None:
        """The positions in a `Last-Event-ID`. Raises `bad-cursor`."""
        return None if last is None else Positions.parse(self.cursors.read(_OF, last))

    async def open(self, viewer: Viewer, last: str | None) -> Subscriber:
        """Open a stream. Raises a 503 where there are as many as there may be."""
        if self.hub.open >= self.most:
            raise ProblemError("unavailable", "too many streams are open here", headers=(("retry-after", "5"),))
        return await self.hub.subscribe(viewer.account, self.since(last))

    def id_of(self, sent: Sent) -> str:
        """The id under which a client can come back."""
        return "" if sent.positions is None else self.cursors.make(_OF, str(sent.positions))

    async def events(self, viewer: Viewer, subscriber: Subscriber) -> AsyncIterator[Sent | None]:
        """The stream's events; None when it was quiet for a while. Ends when the session or the server does."""
        try:
            while True:
                try:
                    sent = await asyncio.wait_for(subscriber.waiting.get(), HEARTBEAT_S)
                except TimeoutError:
                    if not self.still_holds(viewer):
                        return
                    yield None
                    continue
                if sent is None:
                    return
                yield sent
        finally:
            self.hub.unsubscribe(subscriber)


def streams_of(connection: Request | WebSocket) -> Streams:
    """What the application was built with."""
    return cast(Streams, connection.app.state.streams)


stream: APIRouter = router("Realtime")

Ticket = Annotated[str | None, Query(description="From POST /stream/tickets, for browsers", max_length=2000)]


@stream.get("/stream", response_class=StreamingResponse)
async def server_sent_events(
    request: Request,
    ticket: Ticket = None,
    last_event_id: Annotated[str | None, Header(description="The id of the last event that was seen")] = None,
) -> Response:
    """What happens in your feed, as it happens: `tweet`, `notification`, `counts` and `trend` events.

    Sign in with a token, or with a ticket of `POST /stream/tickets`. `reset` says that events were missed: read anew.
    """
    streams = streams_of(request)
    viewer = streams.viewer(request, ticket)
    subscriber = await streams.open(viewer, last_event_id)

    async def body() -> AsyncIterator[bytes]:
        yield b"retry: 2000\n\n"
        async for sent in streams.events(viewer, subscriber):
            if sent is None:
                yield b": still here\n\n"
            else:
                yield b"event: %s\nid: %s\ndata: %s\n\n" % (
                    sent.event.encode(),
                    streams.id_of(sent).encode(),
                    sent.data,
                )

    return StreamingResponse(body(), media_type="text/event-stream", headers={"Cache-Control": "no-store"})


class Frame(msgspec.Struct, frozen=True):
    """One event on a WebSocket."""

    event: str
    id: str
    data: msgspec.Raw


async def _until_gone(socket: WebSocket) -> None:
    # Whatever a client says, only its leaving matters.
    while (await socket.receive())["type"] != "websocket.disconnect":
        pass


@stream.websocket("/ws")
async def web_socket(socket: WebSocket, ticket: str | None = None, last_event_id: str | None = None) -> None:
    """The same events as /stream, as JSON frames `{event, id, data}`."""
    streams = streams_of(socket)
    try:
        viewer = streams.viewer(socket, ticket)
        subscriber = await streams.open(viewer, last_event_id)
    except (NotSignedIn, ProblemError) as error:
        await socket.accept()
        await socket.close(4401 if isinstance(error, NotSignedIn) else 4400, str(error)[:120])
        return
    await socket.accept()

    async def pump() -> None:
        async for sent in streams.events(viewer, subscriber):
            if sent is not None:
                frame = Frame(sent.event, streams.id_of(sent), msgspec.Raw(sent.data))
                await socket.send_text(msgspec.json.encode(frame).decode())
        await socket.close(1001)

    tasks = {asyncio.ensure_future(pump()), asyncio.ensure_future(_until_gone(socket))}
    _, left = await asyncio.wait(tasks, return_when=asyncio.FIRST_COMPLETED)
    for task in left:
        task.cancel()
    await asyncio.gather(*tasks, return_exceptions=True)
    streams.hub.unsubscribe(subscriber)
