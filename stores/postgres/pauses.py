"""Pauses: groups of processors wait between two batches while their tables are compared.

For stores without snapshots. A worker holds an advisory lock in shared mode while it stores a batch. A comparison takes
the lock in exclusive mode: then no batch is in progress, and new batches wait. PostgreSQL releases the lock when its
holder dies, and when the comparison sends nothing for `lease_s`. So a comparison that hangs delays batches for at most
that time.

Batches that begin within `HOLD_S` share one acquisition of the lock, which takes two round trips, 0.3 ms. So a pause
waits up to `HOLD_S` for each group, and then for the batch in progress.

While PostgreSQL is down no comparison is possible, so batches are stored without the lock. A comparison detects a batch
that begins just then, because the positions before and after the comparison differ. The same holds for a batch that
begins within `HOLD_S` on a connection that broke unnoticed, for example when a host lost its power. A connection that
PostgreSQL closed is replaced.
"""

from __future__ import annotations

import asyncio
import contextlib
import hashlib
import select
import time
from collections.abc import AsyncIterator, Iterable

import psycopg
from psycopg import errors

from events.postgres.connections import UNAVAILABLE

from ..sink import StoreUnavailable
from .database import available

HOLD_S = 0.25
"""How long the lock is held for batches that follow each other, in seconds.

Workers store up to 20 batches a second. To take the lock for each of them is 40 round trips; this makes it 4 to 8. A
pause waits up to this long for each of its groups.
"""
LEASE_S = 5.0
"""How long a pause lasts when its holder sends nothing any more, in seconds."""
LONGEST_BATCH_S = 30.0
"""How long a pause waits for batches in progress, in seconds."""
LONGEST_PAUSE_S = 120.0
"""How long a batch waits for the end of a pause before it raises StoreUnavailable and is tried again, in seconds."""


_TAKE = "SELECT pg_advisory_lock_shared(%(number)s)"
_GIVE_BACK = "SELECT pg_advisory_unlock_shared(%(number)s)"
# Evaluated from left to right. A waiting exclusive lock is granted in between: a shared request queues behind it.
_TAKE_AGAIN = "SELECT pg_advisory_unlock_shared(%(number)s), pg_advisory_lock_shared(%(number)s)"


class BatchStillRunning(Exception):
    """A batch took too long; the pause was given up."""


class PauseLost(Exception):
    """PostgreSQL released the lock during the pause, so the reads may be of several moments."""


def _number(name: str) -> int:
    return int.from_bytes(hashlib.blake2b(name.encode(), digest_size=8).digest(), "big", signed=True)


def _server_side(**settings: float) -> str:
    return " ".join(f"-c {name}={int(seconds * 1000)}" for name, seconds in settings.items())


def _says_something(connection: psycopg.AsyncConnection[tuple[object, ...]]) -> bool:
    """Return whether the connection has unexpected input to read, such as its end."""
    poll = select.poll()
    poll.register(connection, select.POLLIN)
    return bool(poll.poll(0))


class BatchLock:
    """Takes the shared lock for the batches of a group, one at a time.

    `name` is the group's, unique in the database.
    """

    def __init__(self, url: str, name: str) -> None:
        self._url = url
        self._values = {"number": _number(name)}
        self._connection: psycopg.AsyncConnection[tuple[object, ...]] | None = None
        self._turn = asyncio.Lock()  # held by a batch, or by the release of the lock
        self._taken: float | None = None  # the time of the acquisition; None while it is not held
        self._giving_back: asyncio.Task[None] | None = None

    @contextlib.asynccontextmanager
    async def batch(self) -> AsyncIterator[None]:
        """Wait for the end of a pause. Raises StoreUnavailable if that takes too long; the batch can be tried again."""
        async with self._turn:
            if self._giving_back is not None:
                self._giving_back.cancel()
            await self._lock()
            try:
                yield
            finally:
                if self._taken is not None:
                    self._giving_back = asyncio.create_task(self._give_back(self._taken + HOLD_S))

    async def close(self) -> None:
        """Close the connection, which releases the lock."""
        giving_back, self._giving_back = self._giving_back, None
        if giving_back is not None:
            giving_back.cancel()
        await self._forget()
        if giving_back is not None:
            await asyncio.wait((giving_back,))

    async def _lock(self) -> None:
        """Hold the lock, unless PostgreSQL is down."""
        try:
            if self._connection is not None and (self._connection.closed or _says_something(self._connection)):
                await self._forget()
            if self._connection is None:
                options = _server_side(lock_timeout=LONGEST_PAUSE_S, statement_timeout=2 * LONGEST_PAUSE_S)
                self._connection = await psycopg.AsyncConnection.connect(
                    self._url, autocommit=True, connect_timeout=2, tcp_user_timeout=5000, options=options
                )
            if self._taken is not None and time.monotonic() < self._taken + HOLD_S:
                return
            statement = _TAKE if self._taken is None else _TAKE_AGAIN
            self._taken = None
            await self._connection.execute(statement, self._values)
            self._taken = time.monotonic()
        except errors.LockNotAvailable as error:
            raise StoreUnavailable("somebody compares what the group keeps, and has for long") from error
        except UNAVAILABLE:
            await self._forget()
        except asyncio.CancelledError:
            await self._forget()  # the lock may have been granted
            raise

    async def _give_back(self, at: float) -> None:
        """Release the lock at a time, unless a batch begins before."""
        await asyncio.sleep(at - time.monotonic())
        async with self._turn:
            self._taken = None
            try:
                if self._connection is not None:
                    await self._connection.execute(_GIVE_BACK, self._values)
            except UNAVAILABLE:
                await self._forget()

    async def _forget(self) -> None:
        connection, self._connection, self._taken = self._connection, None, None
        if connection is not None:
            with contextlib.suppress(*UNAVAILABLE):
                await connection.close()


@contextlib.asynccontextmanager
async def paused(url: str, names: Iterable[str], lease_s: float = LEASE_S) -> AsyncIterator[None]:
    """Pause groups inside the context. Raises BatchStillRunning, StoreUnavailable, and at the end PauseLost."""
    options = _server_side(lock_timeout=LONGEST_BATCH_S, idle_session_timeout=lease_s)
    async with available():
        connection = await psycopg.AsyncConnection.connect(
            url, autocommit=True, connect_timeout=2, tcp_user_timeout=5000, options=options
        )
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
        raise BatchStillRunning(f"a batch has taken more than {LONGEST_BATCH_S:.0f} s") from error
    except UNAVAILABLE as error:
        raise PauseLost("PostgreSQL gave the pause back while it was used") from error
    finally:
        if renewing is not None:
            renewing.cancel()
        await connection.close()


async def _renew(connection: psycopg.AsyncConnection[tuple[object, ...]], every_s: float) -> None:
    while True:
        await asyncio.sleep(every_s)
        await connection.execute("SELECT 1")
