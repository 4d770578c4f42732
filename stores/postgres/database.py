"""Where the read models are on PostgreSQL, connections to there, and what their errors mean to the ports."""

from __future__ import annotations

import re
import time
from collections.abc import AsyncIterator, Mapping, Sequence
from contextlib import asynccontextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import psycopg
from psycopg import errors
from psycopg_pool import AsyncConnectionPool, PoolTimeout

from events.calls import called
from events.postgres import migrating

from ..sink import StoreUnavailable

Connection = psycopg.AsyncConnection[tuple[Any, ...]]
Pool = AsyncConnectionPool[Connection]
Values = Sequence[Any] | Mapping[str, Any]

AWAY = (psycopg.OperationalError, psycopg.InterfaceError, errors.ReadOnlySqlTransaction)
"""The server is away, has no room, or takes no writes now; no fault of the statement."""

WAIT_S = 2.0
"""For a connection: to be made, or to be free."""
MIGRATIONS = Path(__file__).parent / "migrations"
_SCHEMA = re.compile(r"[a-z][a-z0-9_]{0,62}")
_SETTINGS = {
    "statement_timeout": "5s",
    "idle_in_transaction_session_timeout": "10s",  # a process that is stopped must not keep its locks
    # Statements here are short; both cost more than they bring, and workers would not keep the order of the rows.
    "jit": "off",
    "max_parallel_workers_per_gather": "0",
    # All of them go through an index, in its order. The planner thinks so too, unless it takes the names that begin
    # with a few letters for fewer than they are: then it collects and sorts them, for 100 ms.
    "enable_bitmapscan": "off",
    "enable_seqscan": "off",
}


@asynccontextmanager
async def available() -> AsyncIterator[None]:
    """Errors of a server that is away as StoreUnavailable."""
    started = time.perf_counter()
    try:
        yield
        called("postgres", started, answered=True)
    except AWAY as error:
        called("postgres", started, answered=False)
        told = " ".join(str(error).split()) or type(error).__name__
        raise StoreUnavailable(f"PostgreSQL cannot be used now: {told}") from error


@dataclass(frozen=True)
class Database:
    """A schema of the database at `url`: one generation of the read models."""

    url: str
    schema: str = "search"

    def __post_init__(self) -> None:
        if not _SCHEMA.fullmatch(self.schema):
            raise ValueError(f"not a name for a schema: {self.schema!r}; small letters, digits and _")

    def _options(self) -> dict[str, Any]:
        settings = {**_SETTINGS, "search_path": self.schema}
        return {
            "autocommit": True,
            "options": " ".join(f"-c {name}={value}" for name, value in settings.items()),
            "connect_timeout": 2,
            "tcp_user_timeout": 5000,  # a server that lost its power says no goodbye
            "prepare_threshold": 1,
        }

    async def connect(self) -> Connection:
        """A connection of one's own. Raises one of AWAY."""
        return await psycopg.AsyncConnection.connect(self.url, **self._options())

    def pool(self, most: int = 8) -> Pool:
        """A pool for the readers, not opened yet."""
        return AsyncConnectionPool(
            self.url,
            open=False,
            min_size=1,
            max_size=most,
            timeout=WAIT_S,
            reconnect_timeout=5.0,
            connection_class=psycopg.AsyncConnection[tuple[Any, ...]],
            kwargs=self._options(),
        )

    async def migrate(self) -> list[str]:
        """Make the schema and its tables what this version of the software wants; the files that were applied.

        Raises MigrationRefused, StoreUnavailable.
        """
        async with available(), await self.connect() as connection:
            # One host waits for the other; a file may take its time.
            await connection.execute("SET statement_timeout = 0")
            return await migrating.apply(connection, MIGRATIONS, [f"CREATE SCHEMA IF NOT EXISTS {self.schema}"])

    async def pending(self) -> list[str]:
        """The files that are not applied to the schema. Raises MigrationRefused, StoreUnavailable."""
        async with available(), await self.connect() as connection:
            return await migrating.pending(connection, MIGRATIONS)

    async def drop(self) -> None:
        """Delete the generation. Raises StoreUnavailable."""
        async with available(), await self.connect() as connection:
            await connection.execute(f"DROP SCHEMA IF EXISTS {self.schema} CASCADE".encode())


async def select(pool: Pool, sql: str, values: Values) -> list[tuple[Any, ...]]:
    """The rows of a query, asked twice where a connection turns out to be dead. Raises StoreUnavailable."""
    async with available():
        try:
            return await _select(pool, sql, values)
        except (errors.QueryCanceled, PoolTimeout):
            raise
        except psycopg.OperationalError:
            await pool.check()  # the others died with it
            return await _select(pool, sql, values)


async def _select(pool: Pool, sql: str, values: Values) -> list[tuple[Any, ...]]:
    async with pool.connection() as connection:
        cursor = await connection.execute(sql.encode(), values)
        return await cursor.fetchall()
