"""The public timeline on Cassandra: everyone's posts by hour and shard, since one partition would take all writes.

Filled with the tweets (tweets.py). A page merges one page of each shard.
"""

from __future__ import annotations

import asyncio
import heapq

from events.ids import TweetId, from_bytes

from ..pages import Page
from .buckets import HOUR_MS, Listed, Listing
from .session import CassandraSession

PUBLIC = Listing("public_timeline", ("shard",), "tweet", (), HOUR_MS)
SHARDS = 8
"""At 1,000 posts a second a partition has 450,000 rows of some 30 bytes. Changing it takes another generation."""


def shard_of(tweet: TweetId) -> int:
    """The shard of a tweet, by its random bits."""
    return int(tweet[-1], 16) % SHARDS


class CassandraPublicTimeline:
    """The PublicTimeline port."""

    def __init__(self, session: CassandraSession, keyspace: str) -> None:
        self._rows = Listed(session, keyspace, PUBLIC)

    async def latest(self, before: str | None, limit: int) -> Page[TweetId]:
        """Everyone's posts that are not deleted."""
        pages = await asyncio.gather(*(self._rows.page((shard,), before, limit + 1) for shard in range(SHARDS)))
        keys = [key for rows, _ in pages for (key,) in rows]
        newest = heapq.nlargest(limit + 1, keys)
        more = len(newest) > limit
        return Page(
            [TweetId(from_bytes(key)) for key in newest[:limit]], from_bytes(newest[limit - 1]) if more else None
        )
