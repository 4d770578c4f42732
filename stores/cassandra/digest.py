"""Digests over the tables of each read model, to compare two generations.

The rows are read by slices of the token ring, in no order, with one slice's rows in memory at a time. Each node reads
only its own part. The digest itself takes 1 us a row.
"""

from __future__ import annotations

import asyncio
import hashlib
from collections.abc import Collection, Iterable, Mapping
from itertools import pairwise
from typing import Any

from events.digest import unordered_digest

from .address import checked
from .model import Model
from .session import CassandraSession

BUCKETS = "buckets"
"""The table with the buckets in use of all lists (buckets.py). It is compared like a read model."""
OF_FAN_OUT = (
    "fan_out_activities",
    "fan_out_months",
    "fan_out_followees",
    "fan_out_followers",
    "fan_out_spread",
    "home_timelines",
    "home_floors",
    "home_tiers",
    "home_progress",
)
"""Tables that are not compared: the rows of a timeline depend on the time of its backfill, while the feeds do not."""
_RING = 1 << 64
_AT_ONCE = 8
"""Slices read at the same time: a small one spends most of its time waiting."""


async def digests(
    session: CassandraSession, keyspace: str, models: Mapping[str, Model[Any, Any]], *, slices: int = 256
) -> dict[str, tuple[int, str]]:
    """Return the number of rows and the digest of each read model, and of `buckets`.

    Two digests are equal if the rows are, in any order. Raises StoreUnavailable.
    """
    keys = await _partition_keys(session, keyspace)
    starts = [_RING * n // slices - _RING // 2 for n in range(slices + 1)]
    turns = asyncio.Semaphore(_AT_ONCE)

    async def slice_of(cql: str, start: int, end: int, *, expiring: bool) -> tuple[int, int]:
        async with turns:
            found = await session.read(cql, (start, end - 1))
        return unordered_digest([row for row in found if row[-1] is None] if expiring else found)

    async def digest(tables: Iterable[str], expiring: Collection[str] = ()) -> tuple[int, str]:
        rows, total = 0, hashlib.blake2b(digest_size=16)
        for table in sorted(tables):
            token = f"token({', '.join(keys[table])})"
            cql = f"SELECT * FROM {checked(keyspace)}.{table} WHERE {token}>=? AND {token}<=?"
            parts = await asyncio.gather(
                *(slice_of(cql, start, end, expiring=table in expiring) for start, end in pairwise(starts))
            )
            count, summed = (sum(column) for column in zip(*parts, strict=True))
            rows += count
            total.update(f"{table}:{count}:{summed & (1 << 128) - 1:x};".encode())
        return rows, total.hexdigest()

    found = {name: await digest(model.tables, model.expiring) for name, model in models.items()}
    return found | {BUCKETS: await digest((BUCKETS,))}


async def _partition_keys(session: CassandraSession, keyspace: str) -> dict[str, list[str]]:
    """Return the columns of each table's partition key, in order."""
    rows = await session.read(
        "SELECT table_name, column_name, kind, position FROM system_schema.columns WHERE keyspace_name=?", (keyspace,)
    )
    keys: dict[str, list[str]] = {}
    for table, column, _, _ in sorted((row for row in rows if row[2] == "partition_key"), key=lambda row: row[3]):
        keys.setdefault(table, []).append(column)
    return keys
