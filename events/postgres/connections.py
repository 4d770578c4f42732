"""Connections to PostgreSQL, and the mapping of its errors to those of the ports."""

from __future__ import annotations

import time
from collections.abc import AsyncIterator, Awaitable, Callable, Mapping, Sequence
from contextlib import asynccontextmanager
from typing import Any, TypeVar

import psycopg
from psycopg import errors
from psycopg_pool import AsyncConnectionPool

from ..calls import called
from ..log import LogUnavailable

T = TypeVar("T")

Connection = psycopg.AsyncConnection[tuple[Any, ...]]
Cursor = psycopg.AsyncCursor[tuple[Any, ...]]
Pool = AsyncConnectionPool[Connection]
Values = Sequence[Any] | Mapping[str, Any]
Statement = tuple[str, Sequence[Any]]
"""SQL with %s in it, and the values of these places."""

WAIT_S = 2.0
"""Seconds to wait until a connection is made, or one of the pool is free."""

STALE_ATTEMPTS = 2

RETRIED = (errors.SerializationFailure, errors.DeadlockDetected, errors.UniqueViolation)
"""Conflicts with another transaction, which took the same name, for example: decide again, on the new state."""

UNAVAILABLE = (psycopg.OperationalError, psycopg.InterfaceError, errors.ReadOnlySqlTransaction)
"""Errors of a server that is unavailable, full or read-only, not of the statement."""

BY_KEY: Mapping[str, str] = {
    "timezone": "UTC",
    # All rows are found by key. A plan made for a small table would scan the whole table when it is large.
    "enable_hashjoin": "off",
    "enable_mergejoin": "off",
}
"""Settings of connections that find every row by its key: those of the command side."""

_SETTINGS: Mapping[str, str] = {
    "statement_timeout": "5s",  # includes waiting for the lock of an entity
    "idle_in_transaction_session_timeout": "10s",  # a stopped process must not keep its locks
    "enable_seqscan": "off",
}
"""Settings of every connection."""


def _arguments(settings: Mapping[str, str], schema: str | None) -> dict[str, Any]:
    options = {**_SETTINGS, **settings, **({} if schema is None else {"search_path": schema})}
    return {
        "options": " ".join(f"-c {name}={value}" for name, value in options.items()),
        "connect_timeout": 2,
        "tcp_user_timeout": 5000,  # a server without power does not close its connections
        "prepare_threshold": 1,
    }


async def connect(url: str, settings: Mapping[str, str] = BY_KEY, schema: str | None = None) -> Connection:
    """Open a connection outside any pool, in autocommit mode. Raises the errors of UNAVAILABLE."""
    return await psycopg.AsyncConnection.connect(url, autocommit=True, **_arguments(settings, schema))


def open_pool(
    url: str,
    *,
    most: int = 16,
    least: int = 2,
    schema: str | None = None,
    settings: Mapping[str, str] = BY_KEY,
    autocommit: bool = False,
) -> Pool:
    """Return a pool of up to `most` connections, not opened yet. 16 are enough for 32 commands in flight.

    The tables are in the schema of the URL, or in `schema`.
    """
    return AsyncConnectionPool(
        url,
        open=False,
        min_size=least,
        max_size=most,
        timeout=WAIT_S,
        reconnect_timeout=5.0,
        connection_class=psycopg.AsyncConnection[tuple[Any, ...]],
        kwargs={"autocommit": autocommit, **_arguments(settings, schema)},
    )


@asynccontextmanager
async def available(
    unavailable: type[Exception] = LogUnavailable, retried: tuple[type[Exception], ...] = RETRIED
) -> AsyncIterator[None]:
    """Convert errors of an unavailable server to `unavailable`, the error of a port. Errors in `retried` pass."""
    started = time.perf_counter()
    try:
        yield
        called("postgres", started, answered=True)
    except retried:
        raise
    except UNAVAILABLE as error:
        called("postgres", started, answered=False)
        told = " ".join(str(error).split()) or type(error).__name__
        raise unavailable(f"PostgreSQL cannot be used now: {told}") from error


async def run(
    pool: Pool,
    work: Callable[[Connection], Awaitable[T]],
    unavailable: type[Exception] = LogUnavailable,
    retried: tuple[type[Exception], ...] = RETRIED,
) -> T:
    """Run `work` on a connection of the pool, and commit.

    If the connection had ended in the meantime, as all have when the server was restarted, `work` runs again on
    another one: it may be begun twice. Raises `unavailable`, and errors in `retried` as they come.
    """
    for _ in range(STALE_ATTEMPTS):
        async with available(unavailable, retried), pool.connection() as connection:
            try:
                return await work(connection)
            except UNAVAILABLE:
                if not connection.broken:
                    raise
        await pool.check()
    async with available(unavailable, retried), pool.connection() as connection:
        return await work(connection)


async def select(connection: Connection, sql: str, values: Values = ()) -> list[tuple[Any, ...]]:
    """Return the rows of a query."""
    cursor = await connection.execute(sql.encode(), values)
    return await cursor.fetchall()
