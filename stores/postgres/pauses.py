"""Processors that stand still between two batches for as long as somebody looks at what they keep.

For stores without snapshots: whoever lands a batch shares an advisory lock while it lands, whoever compares takes it
alone. So when it is had, nothing is on its way, and the next batch waits. PostgreSQL gives the lock back when either
of them dies, and when the one who compares says nothing for `lease_s`: a comparison that hangs holds up nobody for
longer. 0.3 ms a batch.

Where PostgreSQL is away nobody can compare, so batches land without. One that begins just then is noticed by whoever
compares: the positions afterwards are not those from before.
"""

from __future__ import annotations

import asyncio
import contextlib
import hashlib
from collections.abc import AsyncIterator, Iterable

import psycopg
from psycopg import errors

from ..sink import StoreUnavailable
from .database import AWAY

LEASE_S = 5.0
"""How long it stays paused when whoever paused it says nothing any more."""
LONGEST_LANDING_S = 30.0
"""How long a pause waits for batches in hand."""
LONGEST_PAUSE_S = 120.0
"""How long a batch waits for a pause to end before it says so, and waits again."""


class StillLanding(Exception):
    """A batch took too long to wait for; the pause was given up."""


class PauseLost(Exception):
    """PostgreSQL gave the lock back meanwhile: what was seen may be of several moments."""


def _number(name: str) -> int:
    return int.from_bytes(hashlib.blake2b(name.encode(), digest_size=8).digest(), "big", signed=True)


def _server_side(**settings: float) -> str:
    return " ".join(f"-c {name}={int(seconds * 1000)}" for name, seconds in settings.items())


class Landing:
    """What a worker's group lands its batches within. `name` is the group's, unique in the database."""

    def __init__(self, url: str, name: str) -> None:
        self._url = url
        self._number = _number(name)
        self._connection: psycopg.AsyncConnection[tuple[object, ...]] | None = None

    @contextlib.asynccontextmanager
    async def batch(self) -> AsyncIterator[None]:
        """Wait for a pause to end. Raises StoreUnavailable where that takes too long: try again."""
        locked = await self._lock()
        try:
            yield
        finally:
            if locked:
                await self._unlock()

    async def close(self) -> None:
        """Let go of the connection."""
        connection, self._connection = self._connection, None
        if connection is not None:
            with contextlib.suppress(*AWAY):
                await connection.close()

    async def _lock(self) -> bool:
        try:
            if self._connection is None or self._connection.closed:
                options = _server_side(lock_timeout=LONGEST_PAUSE_S, statement_timeout=2 * LONGEST_PAUSE_S)
                self._connection = await psycopg.AsyncConnection.connect(
                    self._url, autocommit=True, connect_timeout=2, tcp_user_timeout=5000, options=options
                )
            await self._connection.execute("SELECT pg_advisory_lock_shared(%s)", (self._number,))
        except errors.LockNotAvailable as error:
            raise StoreUnavailable("somebody compares what the group keeps, and has for long") from error
        except AWAY:
            await self.close()
            return False
        except asyncio.CancelledError:
            await self.close()  # the lock may have been had
            raise
        return True

    async def _unlock(self) -> None:
        try:
            if self._connection is not None:
                await self._connection.execute("SELECT pg_advisory_unlock_shared(%s)", (self._number,))
        except AWAY:
            await self.close()


@contextlib.asynccontextmanager
async def paused(url: str, names: Iterable[str], lease_s: float = LEASE_S) -> AsyncIterator[None]:
    """Have groups stand still within. Raises StillLanding, PauseLost at the end, StoreUnavailable."""
    options = _server_side(lock_timeout=LONGEST_LANDING_S, idle_session_timeout=lease_s)
    try:
        connection = await psycopg.AsyncConnection.connect(
            url, autocommit=True, connect_timeout=2, tcp_user_timeout=5000, options=options
        )
    except AWAY as error:
        raise StoreUnavailable(f"PostgreSQL cannot be used now: {error}") from error
    renewing: asyncio.Task[None] | None = None
    try:
        for number in sorted(_number(name) for name in names):
            await connection.execute("SELECT pg_advisory_lock(%s)", (number,))
        renewing = asyncio.create_task(_renew(connection, lease_s / 4))
        yield
        renewing.cancel()
        with contextlib.suppress(asyncio.CancelledError):
            await renewing
        await connection.execute("SELECT 1")
    except errors.LockNotAvailable as error:
        raise StillLanding(f"a batch has been landing for more than {LONGEST_LANDING_S:.0f} s") from error
    except AWAY as error:
        raise PauseLost("PostgreSQL gave the pause back while it was used") from error
    finally:
        if renewing is not None:
            renewing.cancel()
        await connection.close()


async def _renew(connection: psycopg.AsyncConnection[tuple[object, ...]], every_s: float) -> None:
    while True:
        await asyncio.sleep(every_s)
        await connection.execute("SELECT 1")
