"""What the tables of a read model hold, in few words: equal for equal rows, whatever the order they were written in."""

from __future__ import annotations

import hashlib
from collections.abc import Iterable, Mapping

from events.log import Positions, TopicPartition

from .database import Connection, Database, available

TABLES: Mapping[str, tuple[str, ...]] = {
    "search": ("search_tweets", "search_postings"),
    "user_search": ("user_search_names", "user_search_trigrams"),
    "hashtag_search": ("hashtag_search_uses", "hashtag_search_tags", "hashtag_search_trigrams"),
    # What is ranked, and when, goes by the turns of the workers; what it is ranked by follows from the positions.
    "trends": ("tag_uses", "tag_hours", "trend_clock"),
}
"""The tables of each read model that is kept here."""

# Two hashes of 64 bits a row, summed: 1 us a row, and no row leaves the server.
_DIGEST = """
SELECT count(*), coalesce(sum(hashtextextended(t::text, 0)::numeric), 0)::text,
    coalesce(sum(hashtextextended(t::text, 1)::numeric), 0)::text FROM {table} AS t"""


async def digests(database: Database) -> dict[str, tuple[int, str]]:
    """Rows and digest of every read model, in one snapshot. Raises StoreUnavailable."""
    return (await snapshot(database, ()))[1]


async def snapshot(
    database: Database, groups: Iterable[str]
) -> tuple[dict[str, Positions], dict[str, tuple[int, str]]]:
    """How far each of these groups has come, and the digests at these positions. Raises StoreUnavailable."""
    found = {}
    async with available(), await database.connect() as connection:
        await connection.execute("SET statement_timeout = 0")
        await connection.execute("BEGIN ISOLATION LEVEL REPEATABLE READ, READ ONLY")
        positions = {group: await _positions(connection, group) for group in groups}
        for model, tables in TABLES.items():
            rows = 0
            total = hashlib.blake2b(digest_size=16)
            for table in tables:
                cursor = await connection.execute(_DIGEST.format(table=table).encode())
                [(count, one, other)] = await cursor.fetchall()
                rows += count
                total.update(f"{table}:{count}:{one}:{other};".encode())
            found[model] = (rows, total.hexdigest())
    return positions, found


async def _positions(connection: Connection, group: str) -> Positions:
    cursor = await connection.execute(b"SELECT topic, partition, next FROM positions WHERE consumers = %s", (group,))
    rows = await cursor.fetchall()
    return Positions((TopicPartition(topic, partition), next_) for topic, partition, next_ in rows)
