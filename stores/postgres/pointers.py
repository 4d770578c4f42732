"""Pointers to the current generation of the read models in each store: whoever opens a store asks here where to look.

In PostgreSQL, which every process needs anyway, in a schema of their own.
"""

from __future__ import annotations

from pathlib import Path
from typing import NamedTuple

from psycopg import errors

from events.postgres import migrating

from .database import Database, available

SCHEMA = "read_models"
MIGRATIONS = Path(__file__).parent / "pointing"


class Pointer(NamedTuple):
    """The name of the current generation, and of the one before where it is kept."""

    place: str
    before: str | None


class Pointers:
    """The pointers in the database at `url`."""

    def __init__(self, url: str) -> None:
        self._database = Database(url, SCHEMA)

    async def migrate(self) -> list[str]:
        """Make the table; the files that were applied. Raises MigrationRefused, StoreUnavailable."""
        async with available(), await self._database.connect() as connection:
            return await migrating.apply(connection, MIGRATIONS, [f"CREATE SCHEMA IF NOT EXISTS {SCHEMA}"])

    async def pending(self) -> list[str]:
        """The files that are not applied yet. Raises MigrationRefused, StoreUnavailable."""
        async with available(), await self._database.connect() as connection:
            return await migrating.pending(connection, MIGRATIONS)

    async def read(self) -> dict[str, Pointer]:
        """Those that were ever moved, by store: none where there is no table for them. Raises StoreUnavailable."""
        async with available(), await self._database.connect() as connection:
            try:
                cursor = await connection.execute("SELECT store, place, before FROM places")
            except errors.UndefinedTable:
                return {}
            return {store: Pointer(place, before) for store, place, before in await cursor.fetchall()}

    async def move(self, store: str, to: Pointer) -> None:
        """Make another generation current. Raises StoreUnavailable."""
        async with available(), await self._database.connect() as connection:
            await connection.execute(
                "INSERT INTO places (store, place, before) VALUES (%s, %s, %s)"
                " ON CONFLICT (store) DO UPDATE SET place=excluded.place, before=excluded.before",
                (store, to.place, to.before),
            )
