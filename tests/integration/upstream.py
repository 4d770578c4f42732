"""An application that returns the requests that reach it, for tests of the edge. The environment names its side."""

from __future__ import annotations

import asyncio
import os
from collections.abc import AsyncIterator

from starlette.applications import Starlette
from starlette.requests import Request
from starlette.responses import JSONResponse, StreamingResponse
from starlette.routing import Route, WebSocketRoute
from starlette.websockets import WebSocket

SIDE = os.environ.get("SIDE", "")
_seen = asyncio.Event()


async def told(request: Request) -> JSONResponse:
    """Return the request, and the client's address as far as it is known."""
    body = await request.body()
    return JSONResponse(
        {
            "side": SIDE,
            "method": request.method,
            "asked": f"{request.scope['raw_path'].decode()}?{request.scope['query_string'].decode()}",
            "headers": dict(request.headers),
            "bytes": len(body),
        },
        headers={"X-Side": SIDE},
    )


async def stream(request: Request) -> StreamingResponse:
    """Send two events, the second after a client confirmed the first."""

    async def events() -> AsyncIterator[bytes]:
        yield b"event: first\ndata: 1\n\n"
        await _seen.wait()
        yield b"event: second\ndata: 2\n\n"

    return StreamingResponse(events(), media_type="text/event-stream")


async def seen(request: Request) -> JSONResponse:
    """Confirm the first event."""
    _seen.set()
    return JSONResponse({})


async def echo(socket: WebSocket) -> None:
    """Send the side, then echo each message."""
    await socket.accept()
    await socket.send_text(SIDE)
    async for text in socket.iter_text():
        await socket.send_text(text)


app = Starlette(
    routes=[
        Route("/seen", seen, methods=["GET"]),
        Route("/api/v1/stream", stream, methods=["GET"]),
        WebSocketRoute("/api/v1/ws", echo),
        Route("/{path:path}", told, methods=["GET", "HEAD", "POST", "PUT", "PATCH", "DELETE", "OPTIONS"]),
    ]
)
