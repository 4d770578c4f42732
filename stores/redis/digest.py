"""A digest over a sink's counters: equal for equal counters, in whatever order they were counted.

Redis has no snapshots, so the sink must be paused: see stores/postgres/pauses.py. It takes 4 us a counter, and Redis
scans all its keys once, in steps, those of other owners included.
"""

from __future__ import annotations

from typing import Any

from events.digest import unordered_digest

from .connection import Client, answering
from .sink import RedisKeys

_SCANNED = 1000
_STATE = (b"held", b"newest")
_RANKING = b"by-"


async def digest(client: Client, keys: RedisKeys) -> tuple[int, str]:
    """Return the number of hashes and rankings, and a digest over them. Raises StoreUnavailable."""
    rows = total = 0
    start = len(keys.all) - 1
    cursor, begun = 0, False
    with answering():
        # SCAN may return a key twice while Redis enlarges its table, which only writes cause.
        while cursor or not begun:
            cursor, found = await client.scan(cursor, match=keys.all, count=_SCANNED)
            begun = True
            wanted = [key for key in map(_bytes, found) if _kind(key) and not _kind(key).startswith(_STATE)]
            counted, summed = unordered_digest(
                (key[start:], *sorted(content))
                for key, content in zip(wanted, await _contents(client, wanted), strict=True)
            )
            rows, total = rows + counted, total + summed & (1 << 128) - 1
    return rows, f"{total:032x}"


async def _contents(client: Client, keys: list[bytes]) -> list[list[tuple[Any, Any]]]:
    async with client.pipeline(transaction=False) as pipeline:
        for key in keys:
            if _kind(key).startswith(_RANKING):
                pipeline.zrange(key, 0, -1, withscores=True)
            else:
                pipeline.hgetall(key)
        found = await pipeline.execute()
    return [list(content.items()) if isinstance(content, dict) else content for content in found]


def _bytes(key: bytes | str) -> bytes:
    """Return a key as bytes. The client does not decode; only its types allow a str."""
    return key if isinstance(key, bytes) else key.encode()


def _kind(key: bytes) -> bytes:
    return key.partition(b"}:")[2]


async def remove(client: Client, keys: RedisKeys) -> None:
    """Remove all keys of a sink, counters and state. Raises StoreUnavailable."""
    cursor, begun = 0, False
    with answering():
        while cursor or not begun:
            cursor, found = await client.scan(cursor, match=keys.all, count=_SCANNED)
            begun = True
            if found:
                async with client.pipeline(transaction=False) as pipeline:
                    for key in found:
                        pipeline.unlink(key)
                    await pipeline.execute()
