"""The tables of the command side: migrations/, applied by events/postgres/migrating.py."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import psycopg

from events.postgres import migrating
from events.postgres.connections import available

MIGRATIONS = Path(__file__).parent / "migrations"


async def migrate(url: str, directory: Path = MIGRATIONS, *, schema: str | None = None) -> list[str]:
    """Apply the missing migrations to the URL's schema or to `schema`; return the names of the files.

    Raises MigrationRefused, LogUnavailable.
    """
    options: dict[str, Any] = {} if schema is None else {"options": f"-c search_path={schema}"}
    prepare = [] if schema is None else [f"CREATE SCHEMA IF NOT EXISTS {schema}"]
    async with available(), await psycopg.AsyncConnection.connect(url, autocommit=True, **options) as connection:
        return await migrating.apply(connection, directory, prepare)


async def pending(connection: psycopg.AsyncConnection[tuple[Any, ...]], directory: Path = MIGRATIONS) -> list[str]:
    """Return the names of the migrations that are not applied yet. Raises MigrationRefused."""
    return await migrating.pending(connection, directory)
