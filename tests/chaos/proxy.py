"""A TCP proxy that makes a network bad: it holds bytes back, lets none through, or cuts everything off.

What passes costs one copy in Python, so it is for correctness under trouble and not for figures. As TCP promises, no
byte is lost, doubled or overtaken on a connection that lives.
"""

from __future__ import annotations

import asyncio
import contextlib
import time

_CHUNK = 65536
_AHEAD = 64
"""Chunks on their way; who sends more waits, as it would for a full window."""


class Proxy:
    """One port in front of one server. It starts mended."""

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
        """Listen no more, and cut what there is."""
        assert self._server is not None
        self._server.close()
        self.cut()
        for task in list(self._serving):
            task.cancel()
        await asyncio.gather(*self._serving, return_exceptions=True)
        await self._server.wait_closed()

    def delay(self, seconds: float) -> None:
        """What is sent from now on arrives so much later, in each direction."""
        self._delay_s = seconds

    def stall(self) -> None:
        """Nothing arrives, and nobody is told: a network that is parted."""
        self._open.clear()

    def cut(self) -> None:
        """Connections are reset, and new ones as soon as they are made: a server that is gone."""
        self._refuses = True
        for writer in list(self._connections):
            writer.transport.abort()

    def mend(self) -> None:
        """All is well again."""
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
        """Pass on one direction to its end; a reset ends both."""
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
