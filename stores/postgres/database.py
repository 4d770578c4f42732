"""The schemas of the read models on PostgreSQL, connections to them, and the conversion of errors for the ports."""

from __future__ import annotations

import re
from contextlib import AbstractAsyncContextManager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from events.postgres import connections, migrating
from events.postgres.connections import Connection, Pool, Values

from ..sink import StoreUnavailable

MIGRATIONS = Path(__file__).parent / "migrations"
_SCHEMA = re.compile(r"[a-z][a-z0-9_]{0,62}")
_INDEXED = {
    # Statements here are short: both settings cost more than they save, and parallel workers lose the order of the
    # rows.
    "jit": "off",
    "max_parallel_workers_per_gather": "0",
    # All statements use an index, in its order. The planner would choose that too, unless it underestimates the names
    # with a short prefix: then it collects and sorts them, for 100 ms.
    "enable_bitmapscan": "off",
}


def available() -> AbstractAsyncContextManager[None]:
    """Raise StoreUnavailable for errors of a server that is unavailable."""
    return connections.available(StoreUnavailable, retried=())


@dataclass(frozen=True)
class Database:
    """A schema of the database at `url`: one generation of the read models."""

    url: str
    schema: str = "search"

    def __post_init__(self) -> None:
        if not _SCHEMA.fullmatch(self.schema):
            raise ValueError(f"not a name for a schema: {self.schema!r}; small letters, digits and _")

    async def connect(self) -> Connection:
        """Return a new connection. Raises one of UNAVAILABLE."""
        return await connections.connect(self.url, _INDEXED, self.schema)

    def pool(self, most: int = 8) -> Pool:
        """Return a pool for readers, not opened yet."""
        return connections.open_pool(
            self.url, most=most, least=1, schema=self.schema, settings=_INDEXED, autocommit=True
        )

    async def migrate(self) -> list[str]:
        """Apply the missing migrations to the schema, and return their files.

        Raises MigrationRefused, StoreUnavailable.
        """
        async with available(), await self.connect() as connection:
            # One host waits for the other, and a file may take long.
            await connection.execute("SET statement_timeout = 0")
            return await migrating.apply(connection, MIGRATIONS, [f"CREATE SCHEMA IF NOT EXISTS {self.schema}"])

    async def pending(self) -> list[str]:
        """Return the migration files that are not applied yet. Raises MigrationRefused, StoreUnavailable."""
        async with available(), await self.connect() as connection:
            return await migrating.pending(connection, MIGRATIONS)

    async def drop(self) -> None:
        """Drop the schema with all its tables. Raises StoreUnavailable."""
        async with available(), await self.connect() as connection:
            await connection.execute(f"DROP SCHEMA IF EXISTS {self.schema} CASCADE".encode())


async def fetch(pool: Pool, sql: str, values: Values) -> list[tuple[Any, ...]]:
    """Return the rows of a query, on a connection of the pool. Raises StoreUnavailable."""
    return await connections.run(
        pool, lambda connection: connections.select(connection, sql, values), StoreUnavailable, retried=()
    )
