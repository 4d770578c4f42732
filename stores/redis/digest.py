"""What a sink's counters hold, in few words: equal for equal counters, in whatever order they were counted.

Redis has no snapshots, so it is for a sink that stands still: see stores/postgres/pauses.py. 4 us a counter, and
Redis looks at each of its keys once, in steps, whoever they belong to.
"""

from __future__ import annotations

from typing import Any

from events.digest import unordered_digest

from .connection import Client, answering
from .sink import Keys

_SCANNED = 1000
_STATE = (b"held", b"newest")
_RANKING = b"by-"


async def digest(client: Client, keys: Keys) -> tuple[int, str]:
    """How many hashes and rankings there are, and a digest over them. Raises StoreUnavailable."""
    rows = total = 0
    start = len(keys.all) - 1
    cursor, begun = 0, False
    with answering():
        # A key may be found twice where Redis makes its table larger, which it does for writes only.
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
    """A key as the client gives it where it was not told to decode; its types say that it may have been."""
    return key if isinstance(key, bytes) else key.encode()


def _kind(key: bytes) -> bytes:
    return key.partition(b"}:")[2]


async def remove(client: Client, keys: Keys) -> None:
    """Remove all that a sink keeps, counters and state. Raises StoreUnavailable."""
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
