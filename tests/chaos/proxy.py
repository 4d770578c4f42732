"""A TCP proxy that simulates a bad network: it delays bytes, stalls, or cuts all connections.

What passes costs one copy in Python, so it is for correctness under trouble and not for figures. As TCP promises, no
byte is lost, doubled or overtaken on a connection that lives.
"""

from __future__ import annotations

import asyncio
import contextlib
import time

_CHUNK = 65536
_AHEAD = 64
"""Chunks in flight. A sender of more waits, as with a full TCP window."""


class Proxy:
    """One port in front of one server. At first it passes everything."""

    def __init__(self, port: int, target: int) -> None:
        self.port = port
        self._target = target
        self._delay_s = 0.0
        self._open = asyncio.Event()
        self._open.set()
        self._refuses = False
        self._server: asyncio.Server | None = None
        self._connections: set[asyncio.StreamWriter] = set()
        self._serving: set[asyncio.Task[None]] = set()

    async def start(self) -> None:
        """Listen on 127.0.0.1."""
        self._server = await asyncio.start_server(self._serve, "127.0.0.1", self.port)

    async def close(self) -> None:
        """Stop listening and cut all connections."""
        assert self._server is not None
        self._server.close()
        self.cut()
        for task in list(self._serving):
            task.cancel()
        await asyncio.gather(*self._serving, return_exceptions=True)
        await self._server.wait_closed()

    def delay(self, seconds: float) -> None:
        """Delay all bytes from now on, in each direction."""
        self._delay_s = seconds

    def stall(self) -> None:
        """Stall: no bytes arrive and no connection ends, as in a network partition."""
        self._open.clear()

    def cut(self) -> None:
        """Reset all connections, and new ones at once, as without a server."""
        self._refuses = True
        for writer in list(self._connections):
            writer.transport.abort()

    def mend(self) -> None:
        """Pass everything again."""
        self._delay_s = 0.0
        self._refuses = False
        self._open.set()

    async def _serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        task = asyncio.current_task()
        assert task is not None
        self._serving.add(task)
        self._connections.add(writer)
        try:
            if self._refuses:
                return
            there, back = await asyncio.open_connection("127.0.0.1", self._target)
            self._connections.add(back)
            try:
                await asyncio.gather(self._pass(reader, back), self._pass(there, writer))
            finally:
                self._connections.discard(back)
                back.transport.abort()
        except (OSError, asyncio.CancelledError):  # an end closed, or we do
            pass
        finally:
            self._serving.discard(task)
            self._connections.discard(writer)
            writer.transport.abort()

    async def _pass(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        """Forward one direction to its end. A reset ends both."""
        on_the_way: asyncio.Queue[tuple[float, bytes]] = asyncio.Queue(_AHEAD)

        async def take() -> None:
            data = b"-"
            while data:
                data = await reader.read(_CHUNK)
                await on_the_way.put((time.monotonic() + self._delay_s, data))

        taking = asyncio.ensure_future(take())
        try:
            while True:
                got = asyncio.ensure_future(on_the_way.get())
                await asyncio.wait((got, taking), return_when=asyncio.FIRST_COMPLETED)
                if not got.done() and taking.done() and taking.exception() is not None:
                    got.cancel()
                    taking.result()
                due, data = await got
                await asyncio.sleep(max(0.0, due - time.monotonic()))
                await self._open.wait()
                if not data:
                    if writer.can_write_eof():
                        writer.write_eof()
                    return
                writer.write(data)
                await writer.drain()
        finally:
            taking.cancel()
            with contextlib.suppress(OSError, asyncio.CancelledError):
                await taking
