"""Tell this process of sessions that ended in any process.

NOTIFY arrives as soon as the end of a session is committed. After each connect, the listener reads the list of ended
sessions first, at worst a few thousand, so that it misses none.
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable

from events.ids import Clock, Millis, SessionId
from events.postgres.connections import UNAVAILABLE, Connection, available, connect
from events.retries import Backoff, Outage

from .credentials import REVOKED, revoked_since

_RECONNECT = Backoff((0.5,))
_READ_AGAIN_S = 30.0


class RevocationListener:
    """Calls `revoked` for every session that ended in the last `keep_ms`, and for each that ends; for some twice."""

    def __init__(self, url: str, clock: Clock, keep_ms: int, revoked: Callable[[SessionId, Millis], None]) -> None:
        self._url = url
        self._clock = clock
        self._keep_ms = keep_ms
        self._revoked = revoked
        self._listening: asyncio.Task[None] | None = None
        self._connection: Connection | None = None
        self._outage = Outage(_RECONNECT, "sessions that ended in other processes")

    async def start(self) -> None:
        """Read the list, then listen until `close`. Raises LogUnavailable, and does not listen, if the read fails."""
        async with available():
            await self._connect()
        self._listening = asyncio.ensure_future(self._listen())

    async def close(self) -> None:
        """Stop listening."""
        if self._listening is not None:
            self._listening.cancel()
            await asyncio.wait([self._listening])
        await self._disconnect()

    async def _disconnect(self) -> None:
        connection, self._connection = self._connection, None
        if connection is not None:
            await connection.close()

    async def _connect(self) -> None:
        await self._disconnect()
        self._connection = connection = await connect(self._url)
        await connection.execute(f"LISTEN {REVOKED}".encode())
        await self._read(connection)

    async def _read(self, connection: Connection) -> None:
        for session, at in await revoked_since(connection, Millis(self._clock() - self._keep_ms)):
            self._revoked(session, at)

    async def _listen(self) -> None:
        while True:
            try:
                if self._connection is None:
                    await self._connect()
                    self._outage.end()
                else:
                    await self._hear(self._connection)
            except UNAVAILABLE as error:
                await self._disconnect()
                await self._outage.wait(error)

    async def _hear(self, connection: Connection) -> None:
        while True:
            async for notice in connection.notifies(timeout=_READ_AGAIN_S):
                session, _, at = notice.payload.rpartition(" ")
                self._revoked(SessionId(session), Millis(int(at)))
            # Also detects a lost connection.
            await self._read(connection)
