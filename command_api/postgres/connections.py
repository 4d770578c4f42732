"""Connections to PostgreSQL, and what its errors mean to the ports."""

from __future__ import annotations

import time
from collections.abc import AsyncIterator, Awaitable, Callable, Sequence
from contextlib import asynccontextmanager
from typing import Any, TypeVar

import psycopg
from psycopg import errors
from psycopg_pool import AsyncConnectionPool

from events.calls import called
from events.log import LogUnavailable

T = TypeVar("T")

Connection = psycopg.AsyncConnection[tuple[Any, ...]]
Cursor = psycopg.AsyncCursor[tuple[Any, ...]]
Pool = AsyncConnectionPool[Connection]
Statement = tuple[str, Sequence[Any]]
"""SQL with %s in it, and what takes their places."""

WAIT_S = 2.0
"""For a connection: to be made, or to be free."""

STALE_ATTEMPTS = 2

RETRIED = (errors.SerializationFailure, errors.DeadlockDetected, errors.UniqueViolation)
"""Another transaction came in between (it took the name, say): deciding again decides by what it did."""

AWAY = (psycopg.OperationalError, psycopg.InterfaceError, errors.ReadOnlySqlTransaction)
"""The server is away, has no room, or takes no writes now; no fault of the statement."""

SETTINGS = " ".join(
    f"-c {setting}"
    for setting in (
        "statement_timeout=5s",  # waiting for an entity's lock is part of a statement
        "idle_in_transaction_session_timeout=10s",  # a process that is stopped must not keep its locks
        "timezone=UTC",
        # Everything here is found by key. A plan made while a table was small would read all of it when it is large.
        "enable_seqscan=off",
        "enable_hashjoin=off",
        "enable_mergejoin=off",
    )
)
"""Of every connection, as libpq takes them."""


def open_pool(url: str, *, most: int = 16, schema: str | None = None) -> Pool:
    """A pool of up to `most` connections, not opened yet. 32 commands in flight wait little for 16.

    The tables are those of the URL's schema, or of another.
    """
    return AsyncConnectionPool(
        url,
        open=False,
        min_size=2,
        max_size=most,
        timeout=WAIT_S,
        reconnect_timeout=5.0,
        connection_class=psycopg.AsyncConnection[tuple[Any, ...]],
        kwargs={
            "options": SETTINGS if schema is None else f"{SETTINGS} -c search_path={schema}",
            "connect_timeout": 2,
            "tcp_user_timeout": 5000,  # a server that lost its power says no goodbye
            "prepare_threshold": 1,
        },
    )


@asynccontextmanager
async def available() -> AsyncIterator[None]:
    """Errors of a server that is away as LogUnavailable. What is worth another attempt (RETRIED) stays as it is."""
    started = time.perf_counter()
    try:
        yield
        called("postgres", started, answered=True)
    except RETRIED:
        raise
    except AWAY as error:
        called("postgres", started, answered=False)
        told = " ".join(str(error).split()) or type(error).__name__
        raise LogUnavailable(f"PostgreSQL cannot be used: {told}") from error


async def run(pool: Pool, work: Callable[[Connection], Awaitable[T]]) -> T:
    """Run `work` on a connection of the pool, and commit.

    Again on another connection where this one had ended in the meantime, as all have when the server was restarted:
    `work` may be begun twice. Raises LogUnavailable, and RETRIED as it comes.
    """
    for _ in range(STALE_ATTEMPTS):
        async with available(), pool.connection() as connection:
            try:
                return await work(connection)
            except AWAY:
                if not connection.broken:
                    raise
        await pool.check()
    async with available(), pool.connection() as connection:
        return await work(connection)


async def select(connection: Connection, sql: str, values: Sequence[Any] = ()) -> list[tuple[Any, ...]]:
    """The rows of a query."""
    cursor = await connection.execute(sql.encode(), values)
    return await cursor.fetchall()
