"""Tell this process of sessions that ended, and of roles that changed, in any process.

NOTIFY arrives as soon as the change is committed. After each connect, the listener first reads the list of ended
sessions, at worst a few thousand, and the list of roles, so that it misses none.
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Mapping

from events.accounts import Role
from events.ids import AccountId, Clock, Millis, SessionId
from events.postgres.connections import UNAVAILABLE, Connection, available, connect
from events.retries import Backoff, Outage

from .credentials import REVOKED, revoked_since
from .rows import ROLES_CHANGED, roles_in

_RECONNECT = Backoff((0.5,))
_READ_AGAIN_S = 30.0


class AccessListener:
    """Calls `revoked` for every session that ended in the last `keep_ms`, and for each that ends; for some twice.

    Calls `roles` with all roles after each change of one.
    """

    def __init__(
        self,
        url: str,
        clock: Clock,
        keep_ms: int,
        revoked: Callable[[SessionId, Millis], None],
        roles: Callable[[Mapping[AccountId, Role]], None],
    ) -> None:
        self._url = url
        self._clock = clock
        self._keep_ms = keep_ms
        self._revoked = revoked
        self._roles = roles
        self._listening: asyncio.Task[None] | None = None
        self._connection: Connection | None = None
        self._outage = Outage(_RECONNECT, "sessions that ended, and roles that changed, in other processes")

    async def start(self) -> None:
        """Read the lists, then listen until `close`. Raises LogUnavailable, and does not listen, if the read fails."""
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
        for channel in (REVOKED, ROLES_CHANGED):
            await connection.execute(f"LISTEN {channel}".encode())
        await self._read(connection)

    async def _read(self, connection: Connection) -> None:
        for session, at in await revoked_since(connection, Millis(self._clock() - self._keep_ms)):
            self._revoked(session, at)
        self._roles(await roles_in(connection))

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
            heard = roles_changed = False
            async for notice in connection.notifies(timeout=_READ_AGAIN_S, stop_after=1):
                heard = True
                if notice.channel == ROLES_CHANGED:
                    roles_changed = True
                    continue
                session, _, at = notice.payload.rpartition(" ")
                self._revoked(SessionId(session), Millis(int(at)))
            if not heard:  # also detects a lost connection
                await self._read(connection)
            elif roles_changed:
                self._roles(await roles_in(connection))
