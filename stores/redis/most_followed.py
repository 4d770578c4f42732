"""The most followed accounts on Redis: a ranking in each slot, updated by the script that counts followers (sink.py).

Each slot is asked for twice its share of the answer, and once more if that was not enough: at most two round trips.
"""

from __future__ import annotations

import heapq

from events.ids import AccountId

from .connection import Client, answering
from .counts import FOLLOWERS
from .sink import RedisKeys, ranked_id

_Entry = tuple[float, bytes]
"""The negative number of followers, and the member of the ranking: in sorted order the best come first."""


class RedisMostFollowed:
    """The MostFollowed port of stores/composed/recommendations.py. Raises StoreUnavailable."""

    def __init__(self, client: Client, keys: RedisKeys) -> None:
        self._client = client
        self._rankings = keys.rankings(FOLLOWERS)

    async def most_followed(self, limit: int) -> list[AccountId]:
        """Return the accounts with the most followers. Of equal counts the lowest account number is first."""
        share = min(limit, 1 + 2 * limit // len(self._rankings))
        found = await self._read(self._rankings, share)
        best = heapq.nsmallest(limit, (entry for entries in found.values() for entry in entries))
        # The further entries of a slot come after all that it returned.
        short = [
            ranking
            for ranking, entries in found.items()
            if len(entries) == share < limit and (len(best) < limit or entries[-1] <= best[-1])
        ]
        if short:
            found |= await self._read(short, limit)
            best = heapq.nsmallest(limit, (entry for entries in found.values() for entry in entries))
        return [AccountId(ranked_id(member)) for _, member in best]

    async def _read(self, rankings: list[str], most: int) -> dict[str, list[_Entry]]:
        with answering():
            async with self._client.pipeline(transaction=False) as pipeline:
                for ranking in rankings:
                    pipeline.zrangebyscore(ranking, "-inf", "(0", start=0, num=most, withscores=True)
                found = await pipeline.execute()
        return {
            ranking: [(score, member) for member, score in entries]
            for ranking, entries in zip(rankings, found, strict=True)
        }
