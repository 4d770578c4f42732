"""The tables of the command side: migrations/, applied by events/postgres/migrating.py."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import psycopg

from events.postgres import migrating
from events.postgres.connections import available

MIGRATIONS = Path(__file__).parent / "migrations"


async def migrate(url: str, directory: Path = MIGRATIONS, *, schema: str | None = None) -> list[str]:
    """Apply the files that were not applied yet, to the URL's schema or another; their names.

    Raises MigrationRefused, LogUnavailable.
    """
    options: dict[str, Any] = {} if schema is None else {"options": f"-c search_path={schema}"}
    prepare = [] if schema is None else [f"CREATE SCHEMA IF NOT EXISTS {schema}"]
    async with available(), await psycopg.AsyncConnection.connect(url, autocommit=True, **options) as connection:
        return await migrating.apply(connection, directory, prepare)


async def pending(connection: psycopg.AsyncConnection[tuple[Any, ...]], directory: Path = MIGRATIONS) -> list[str]:
    """The names of the files that are not applied to the database. Raises MigrationRefused."""
    return await migrating.pending(connection, directory)
