"""Which tables make up each read model, and a digest over them, to compare two generations.

The rows are read by slices of the token ring, a slice's rows at a time in memory, in no order: each node reads its own
part once. 1 us a row here besides the reading.
"""

from __future__ import annotations

import asyncio
import hashlib
from collections.abc import Iterable
from itertools import pairwise

from events.digest import unordered_digest

from .address import checked
from .session import CassandraSession

MODELS: dict[str, tuple[str, ...]] = {
    "users": ("users", "users_by_name"),
    "tweets": ("tweets", "public_timeline"),
    "graph": ("follows", "following", "followers", "barriers", "barriers_by_time"),
    "engagement": ("marks", "marks_by_account", "marks_by_tweet", "quotes"),
    "user_timelines": ("user_timelines",),
    "conversations": ("replies", "parents"),
    "hashtags": ("tweet_tags", "hashtags"),
    "sessions": ("sessions",),
    "media": ("media", "media_uses"),
    "public_tweets": ("public_tweets",),
    "sentiment": ("scores", "scores_by_subject"),
    "notifications": (
        "notifications",
        "notifications_by_tweet",
        "notifications_read",
        "notifications_read_up_to",
        "notifications_raised",
    ),
    "buckets": ("buckets",),
}
"""The last is of all lists together."""
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
"""These are not compared: what is in a timeline depends on when it was made. What feeds say does not."""
PASSING = ("notifications_raised",)
"""Tables whose rows pass some time after their last column was set: a digest leaves these out."""
_RING = 1 << 64
_AT_ONCE = 8
"""Slices read at the same time: most of the time of a small one is spent waiting."""


async def digest(
    session: CassandraSession, keyspace: str, tables: Iterable[str], *, slices: int = 256
) -> tuple[int, str]:
    """How many rows some tables have, and a digest over them, whatever the order they were written in."""
    keys = await _partition_keys(session, keyspace)
    rows, total = 0, hashlib.blake2b(digest_size=16)
    starts = [_RING * n // slices - _RING // 2 for n in range(slices + 1)]
    turns = asyncio.Semaphore(_AT_ONCE)

    async def digested(table: str, cql: str, start: int, end: int) -> tuple[int, int]:
        async with turns:
            found = await session.read(cql, (start, end - 1))
        return unordered_digest([row for row in found if row[-1] is None] if table in PASSING else found)

    for table in sorted(tables):
        token = f"token({', '.join(keys[table])})"
        cql = f"SELECT * FROM {checked(keyspace)}.{table} WHERE {token}>=? AND {token}<=?"
        parts = await asyncio.gather(*(digested(table, cql, start, end) for start, end in pairwise(starts)))
        count, summed = (sum(column) for column in zip(*parts, strict=True))
        rows += count
        total.update(f"{table}:{count}:{summed & (1 << 128) - 1:x};".encode())
    return rows, total.hexdigest()


async def _partition_keys(session: CassandraSession, keyspace: str) -> dict[str, list[str]]:
    """The columns of each table's partition key, in order."""
    rows = await session.read(
        "SELECT table_name, column_name, kind, position FROM system_schema.columns WHERE keyspace_name=?", (keyspace,)
    )
    keys: dict[str, list[str]] = {}
    for table, column, _, _ in sorted((row for row in rows if row[2] == "partition_key"), key=lambda row: row[3]):
        keys.setdefault(table, []).append(column)
    return keys
