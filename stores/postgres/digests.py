"""Digests of the tables of a read model. Equal rows have equal digests, in any order."""

from __future__ import annotations

import hashlib
from collections.abc import Iterable, Mapping
from typing import Any

from events.log import Positions, TopicPartition
from events.postgres.connections import Connection

from .database import Database, available
from .model import Model

# Two 64-bit hashes of each row, summed: 1 us a row, and no row leaves the server.
_DIGEST = """
SELECT count(*), coalesce(sum(hashtextextended(t::text, 0)::numeric), 0)::text,
    coalesce(sum(hashtextextended(t::text, 1)::numeric), 0)::text FROM {table} AS t"""


Models = Mapping[str, Model[Any, Any]]
"""Read models by name."""


async def digests(database: Database, models: Models) -> dict[str, tuple[int, str]]:
    """Return the number of rows and the digest of each read model, in one snapshot. Raises StoreUnavailable."""
    return (await snapshot(database, models, ()))[1]


async def snapshot(
    database: Database, models: Models, groups: Iterable[str]
) -> tuple[dict[str, Positions], dict[str, tuple[int, str]]]:
    """Return the positions of these groups, and the digests of the models at these positions.

    Raises StoreUnavailable.
    """
    found = {}
    async with available(), await database.connect() as connection:
        await connection.execute("SET statement_timeout = 0")
        await connection.execute("BEGIN ISOLATION LEVEL REPEATABLE READ, READ ONLY")
        positions = {group: await _positions(connection, group) for group in groups}
        for name, model in models.items():
            rows = 0
            total = hashlib.blake2b(digest_size=16)
            for table in model.tables:
                cursor = await connection.execute(_DIGEST.format(table=table).encode())
                [(count, one, other)] = await cursor.fetchall()
                rows += count
                total.update(f"{table}:{count}:{one}:{other};".encode())
            found[name] = (rows, total.hexdigest())
    return positions, found


async def _positions(connection: Connection, group: str) -> Positions:
    cursor = await connection.execute(b"SELECT topic, partition, next FROM positions WHERE consumers = %s", (group,))
    rows = await cursor.fetchall()
    return Positions((TopicPartition(topic, partition), next_) for topic, partition, next_ in rows)
