"""Unbounded lists in bounded partitions: by owner and bucket of time, with an index of the buckets in use.

The bucket of a row is the time in its key (an id), in steps of the list's width. The buckets of an owner are rows of
the table `buckets`, so a read of a short list does not probe empty partitions: one round trip for the index, then 2, 4
and 8 buckets at once, until there are enough rows. A row may stay in a list after it became invalid: the reader filters
it out (`shown`), and reads about SCANNED rows at most for one page.
"""

from __future__ import annotations

import asyncio
from collections.abc import AsyncGenerator, Awaitable, Callable, Sequence
from contextlib import aclosing
from dataclasses import dataclass
from typing import Any

from events.ids import from_bytes, millis, to_bytes

from .address import checked
from .session import CassandraSession, Row
from .sink import CassandraSink

HOUR_MS = 3_600_000
DAY_MS = 24 * HOUR_MS
MONTH_MS = 30 * DAY_MS
SCANNED = 1000
"""Rows read for one page, after which it is returned as it is, so that filtered rows do not delay it."""
_FIRST_KEY, _LAST_KEY = b"\x00" * 16, b"\xff" * 16
_INDEX_PAGE = 100
_MOST_AT_ONCE = 8
_MOST_A_CHUNK = 250

Shown = Callable[[Sequence[Row]], Awaitable[Sequence[bool]]]
"""Returns for each row whether it is to be shown."""
Owner = tuple[Any, ...]
"""The values of a list's owner columns: bytes, texts, small numbers."""


@dataclass(frozen=True)
class Listing:
    """A table ((owner..., bucket), key) with other columns; `newest_first` is the clustering order of its keys."""

    table: str
    owner: tuple[str, ...]
    key: str
    columns: tuple[str, ...]
    width_ms: int
    newest_first: bool = True

    def bucket(self, id_: str) -> int:
        """Return the bucket of a row, by its key."""
        return millis(id_) // self.width_ms

    def index_owner(self, owner: Owner) -> bytes:
        """Return the owner's values as one key, each with its length, so that no two owners have the same key."""
        parts = [value if isinstance(value, bytes) else str(value).encode() for value in owner]
        return b"".join(len(part).to_bytes(2, "big") + part for part in parts)


class ListedRows:
    """Writes the rows of a listing."""

    def __init__(self, sink: CassandraSink, keyspace: str, listing: Listing) -> None:
        self._sink = sink
        self._listing = listing
        name, of = checked(keyspace), listing
        names = (*of.owner, "bucket", of.key, *of.columns)
        markers = ", ".join("?" * len(names))
        self._insert = f"INSERT INTO {name}.{of.table} ({', '.join(names)}) VALUES ({markers}) USING TIMESTAMP ?"
        where = " AND ".join(f"{column}=?" for column in (*of.owner, "bucket", of.key))
        self._delete = f"DELETE FROM {name}.{of.table} USING TIMESTAMP ? WHERE {where}"
        self._index = f"INSERT INTO {name}.buckets (list, owner, bucket) VALUES (?, ?, ?) USING TIMESTAMP ?"

    def put(self, owner: Owner, key: str, *values: Any) -> None:
        """Add a row to the list, and its bucket to the index."""
        bucket, stamp = self._listing.bucket(key), self._sink.stamp
        self._sink.write(self._insert, *owner, bucket, to_bytes(key), *values, stamp)
        self._sink.write_once(self._index, self._listing.table, self._listing.index_owner(owner), bucket, stamp)

    def remove(self, owner: Owner, key: str) -> None:
        """Remove a row from the list. The bucket stays in the index, since other rows may be in it."""
        self._sink.write(self._delete, self._sink.stamp, *owner, self._listing.bucket(key), to_bytes(key))


class ListingReader:
    """Reads a listing, in the order of its keys."""

    def __init__(self, session: CassandraSession, keyspace: str, listing: Listing) -> None:
        self._session = session
        self._listing = listing
        name, of = checked(keyspace), listing
        past = "<" if of.newest_first else ">"
        order = "DESC" if of.newest_first else "ASC"
        self._start = _LAST_KEY if of.newest_first else _FIRST_KEY
        where = " AND ".join(f"{column}=?" for column in (*of.owner, "bucket"))
        columns = ", ".join((of.key, *of.columns))
        self._rows = f"SELECT {columns} FROM {name}.{of.table} WHERE {where} AND {of.key}{past}? LIMIT ?"
        self._index = (
            f"SELECT bucket FROM {name}.buckets WHERE list=? AND owner=? AND bucket{past}=? ORDER BY bucket {order}"
            f" LIMIT {_INDEX_PAGE}"
        )

    async def page(
        self, owner: Owner, position: str | None, limit: int, shown: Shown | None = None
    ) -> tuple[list[Row], str | None]:
        """Return up to `limit` shown rows after the key `position`, and the key of the next page (stores/pages.py)."""
        found: list[Row] = []
        scanned = 0
        key = b""
        async with aclosing(self._chunks(owner, position, limit + 1)) as chunks:
            async for rows in chunks:
                keep = [True] * len(rows) if shown is None else await shown(rows)
                for row, kept in zip(rows, keep, strict=True):
                    if kept:
                        if len(found) == limit:
                            return found, from_bytes(key)
                        found.append(row)
                    scanned += 1
                    key = row[0]
                if scanned >= SCANNED:
                    return found, from_bytes(key)
        return found, None

    async def buckets(self, owner: Owner, first: int) -> list[int]:
        """Return the buckets in use from `first` on, in the order of the list, at most 100."""
        rows = await self._session.read(self._index, (self._listing.table, self._listing.index_owner(owner), first))
        return [bucket for (bucket,) in rows]

    async def _chunks(self, owner: Owner, position: str | None, wanted: int) -> AsyncGenerator[list[Row], None]:
        """Yield all rows after a position, in chunks. The chunks grow as rows are filtered out."""
        step = -1 if self._listing.newest_first else 1
        start = self._listing.bucket(position if position is not None else from_bytes(self._start))
        bounds = {} if position is None else {start: to_bytes(position)}
        size, at_once = wanted, 2
        while buckets := await self.buckets(owner, start):
            done = 0
            while wave := buckets[done : done + at_once]:
                parts = await asyncio.gather(
                    *(self._read(owner, bucket, bounds.get(bucket, self._start), size) for bucket in wave)
                )
                asked = size
                for bucket, part in zip(wave, parts, strict=True):
                    rows, limit = part, asked
                    while rows:
                        yield rows
                        if len(rows) < limit:
                            break
                        size = limit = min(2 * size, _MOST_A_CHUNK)
                        rows = await self._read(owner, bucket, rows[-1][0], limit)
                done += len(wave)
                at_once = min(2 * at_once, _MOST_AT_ONCE)
            if len(buckets) < _INDEX_PAGE:
                return
            start = buckets[-1] + step

    async def _read(self, owner: Owner, bucket: int, bound: bytes, size: int) -> list[Row]:
        return await self._session.read(self._rows, (*owner, bucket, bound, size))
