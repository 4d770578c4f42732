"""The tables of the command side: migrations/, applied by events/postgres/migrating.py."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import psycopg

from events.postgres import migrating
from events.postgres.migrating import MigrationRefused

from .connections import available

__all__ = ["MIGRATIONS", "MigrationRefused", "migrate", "pending"]

MIGRATIONS = Path(__file__).parent / "migrations"


async def migrate(url: str, directory: Path = MIGRATIONS) -> list[str]:
    """Apply the files that were not applied yet; their names. Raises MigrationRefused, LogUnavailable."""
    async with available(), await psycopg.AsyncConnection.connect(url, autocommit=True) as connection:
        return await migrating.apply(connection, directory)


async def pending(connection: psycopg.AsyncConnection[tuple[Any, ...]], directory: Path = MIGRATIONS) -> list[str]:
    """The names of the files that are not applied to the database. Raises MigrationRefused."""
    return await migrating.pending(connection, directory)
