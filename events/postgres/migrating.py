"""Create the tables of a schema from numbered files. Each file is applied once, in order, and never changes.

Two hosts may migrate at once: the second waits for the first and then has nothing to do.
"""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Any

import psycopg

from ..migrations import MigrationFile, MigrationRefused, migration_files

_LOCK = 0x6D696772617465
"""`migrate` in ASCII: the key of the advisory lock that migrations alone take."""

_LEDGER = """
CREATE TABLE IF NOT EXISTS migrations (
    number integer PRIMARY KEY, name text NOT NULL, checksum text NOT NULL, at timestamptz NOT NULL DEFAULT now()
)"""


async def apply(
    connection: psycopg.AsyncConnection[tuple[Any, ...]], directory: Path, prepare: Sequence[str] = ()
) -> list[str]:
    """Apply the files that were not applied yet, each in a transaction of its own; return their names.

    The connection is in autocommit mode, and its search_path names the schema. `prepare` runs first, with the lock
    held. Raises MigrationRefused if an applied file was changed, is missing, or belongs to a newer version of the
    software.
    """
    files = migration_files(directory, ".sql")
    # The session holds the lock, so it is released if this process dies.
    await connection.execute("SELECT pg_advisory_lock(%s)", (_LOCK,))
    try:
        for statement in (*prepare, _LEDGER):
            await connection.execute(statement.encode())
        cursor = await connection.execute("SELECT number, name, checksum FROM migrations ORDER BY number")
        applied = await cursor.fetchall()
        _check(files, applied)
        for file in files[len(applied) :]:
            async with connection.transaction():
                await connection.execute(file.text.encode())
                await connection.execute(
                    "INSERT INTO migrations (number, name, checksum) VALUES (%s, %s, %s)",
                    (file.number, file.name, file.checksum),
                )
        return [file.name for file in files[len(applied) :]]
    finally:
        if not connection.closed:
            await connection.execute("SELECT pg_advisory_unlock(%s)", (_LOCK,))


async def pending(connection: psycopg.AsyncConnection[tuple[Any, ...]], directory: Path) -> list[str]:
    """Return the names of the files that are not applied to the connection's schema. Raises MigrationRefused."""
    files = migration_files(directory, ".sql")
    try:
        cursor = await connection.execute("SELECT number, name, checksum FROM migrations ORDER BY number")
    except psycopg.errors.UndefinedTable:
        return [file.name for file in files]
    applied = await cursor.fetchall()
    _check(files, applied)
    return [file.name for file in files[len(applied) :]]


def _check(files: list[MigrationFile], applied: list[tuple[Any, ...]]) -> None:
    for file, (number, name, checksum) in zip(files, applied, strict=False):
        if (number, name) != (file.number, file.name):
            raise MigrationRefused(f"the database has {name} where this version of the software has {file.name}")
        if checksum != file.checksum:
            raise MigrationRefused(f"{name} was applied and has been changed since; write a new file instead")
    if len(applied) > len(files):
        raise MigrationRefused(f"the database has {applied[-1][1]}: a newer version of the software migrated it")
