"""Pointers to the current generation of the read models in each store. A process reads them before it opens a store.

They have a schema of their own in PostgreSQL, which every process needs anyway.
"""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import NamedTuple

from psycopg import errors

from events.postgres import migrating
from events.postgres.connections import UNAVAILABLE, Connection
from events.retries import ENGINE, Outage

from .database import Database, available

LOOK_S = 5.0
"""Seconds between polls without a notification. A dead connection is noticed by the next poll."""
SCHEMA = "read_models"
_MOVED = "read_models_moved"
MIGRATIONS = Path(__file__).parent / "pointing"


class Pointer(NamedTuple):
    """The name of the current generation, and of the previous one if it is kept."""

    generation: str
    before: str | None


class Pointers:
    """The pointers in the database at `url`."""

    def __init__(self, url: str) -> None:
        self._database = Database(url, SCHEMA)

    async def migrate(self) -> list[str]:
        """Create the table and return the applied files. Raises MigrationRefused, StoreUnavailable."""
        async with available(), await self._database.connect() as connection:
            return await migrating.apply(connection, MIGRATIONS, [f"CREATE SCHEMA IF NOT EXISTS {SCHEMA}"])

    async def pending(self) -> list[str]:
        """Return the migration files that are not applied yet. Raises MigrationRefused, StoreUnavailable."""
        async with available(), await self._database.connect() as connection:
            return await migrating.pending(connection, MIGRATIONS)

    async def read(self) -> dict[str, Pointer]:
        """Return the pointers that were ever moved, by store; none if the table does not exist.

        Raises StoreUnavailable.
        """
        async with available(), await self._database.connect() as connection:
            return await _read(connection)

    async def moved_from(self, seen: Mapping[str, Pointer]) -> dict[str, Pointer]:
        """Wait until the pointers differ from `seen`, and return them.

        It listens for notifications and polls, on one connection. While PostgreSQL is down it tries to connect again.
        """
        outage = Outage(ENGINE, "pointers to read models")
        while True:
            try:
                async with await self._database.connect() as connection:
                    await connection.execute(f"LISTEN {_MOVED}".encode())
                    outage.end()
                    while (found := await _read(connection)) == seen:
                        async for _ in connection.notifies(timeout=LOOK_S, stop_after=1):
                            pass
                    return found
            except UNAVAILABLE as error:
                await outage.wait(error)

    async def move(self, store: str, to: Pointer) -> None:
        """Make another generation current, and notify the processes that listen. Raises StoreUnavailable."""
        async with available(), await self._database.connect() as connection, connection.transaction():
            await connection.execute(f"NOTIFY {_MOVED}".encode())
            await connection.execute(
                "INSERT INTO places (store, place, before) VALUES (%s, %s, %s)"
                " ON CONFLICT (store) DO UPDATE SET place=excluded.place, before=excluded.before",
                (store, to.generation, to.before),
            )


async def _read(connection: Connection) -> dict[str, Pointer]:
    try:
        cursor = await connection.execute("SELECT store, place, before FROM places")
    except errors.UndefinedTable:
        return {}
    return {store: Pointer(generation, before) for store, generation, before in await cursor.fetchall()}
