"""The public timeline on Cassandra: all tweets by hour and shard, since one partition would take all writes.

tweets.py fills it. A page merges one page of each shard.
"""

from __future__ import annotations

import asyncio
import heapq

from events.ids import TweetId, from_bytes

from ..pages import Page
from .buckets import HOUR_MS, Listing, ListingReader
from .session import CassandraSession

PUBLIC = Listing("public_timeline", ("shard",), "tweet", (), HOUR_MS)
SHARDS = 8
"""At 1,000 posts a second a partition has 450,000 rows of some 30 bytes.

A change of this number needs a new generation.
"""


def shard_of(tweet: TweetId) -> int:
    """Return the shard of a tweet, by its random bits."""
    return int(tweet[-1], 16) % SHARDS


class CassandraPublicTimeline:
    """The PublicTimeline port."""

    def __init__(self, session: CassandraSession, keyspace: str) -> None:
        self._rows = ListingReader(session, keyspace, PUBLIC)

    async def latest(self, before: str | None, limit: int) -> Page[TweetId]:
        """Return a page of all tweets that are not deleted, newest id first."""
        pages = await asyncio.gather(*(self._rows.page((shard,), before, limit + 1) for shard in range(SHARDS)))
        keys = [key for rows, _ in pages for (key,) in rows]
        newest = heapq.nlargest(limit + 1, keys)
        more = len(newest) > limit
        return Page(
            [TweetId(from_bytes(key)) for key in newest[:limit]], from_bytes(newest[limit - 1]) if more else None
        )
