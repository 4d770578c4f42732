"""Counters on Redis: a hash for each tweet and each account, with a field for each counter that is not zero.

Accounts are also ranked by their followers (most_followed.py). A hash takes about 180 bytes. A page of tweets is read
in one round trip, whatever slots the hashes are in.
"""

from __future__ import annotations

from collections.abc import Collection, Sequence
from typing import Any, get_args

from events.ids import AccountId, TweetId
from events.log import Positions

from ..counts import AccountCounter, AccountCounts, CountRows, Counts, TweetCounter, TweetCounts
from .connection import Client, answering
from .model import Model
from .sink import RedisKeys, RedisSink, held

NAME = "counts@1"
"""The read model with its version. Another version has keys of its own."""
FOLLOWERS: AccountCounter = "followers"
"""The counter by which accounts are ranked."""
_TWEET, _ACCOUNT = "t", "a"


class RedisCountRows:
    """The CountRows port."""

    def __init__(self, sink: RedisSink) -> None:
        self._change = sink.change

    def tweet(self, tweet: TweetId, counter: TweetCounter, change: int) -> None:
        """Add `change` to a counter of a tweet."""
        self._change(_TWEET, tweet, counter, change)

    def account(self, account: AccountId, counter: AccountCounter, change: int) -> None:
        """Add `change` to a counter of an account."""
        self._change(_ACCOUNT, account, counter, change, ranked=counter == FOLLOWERS)


class RedisCounts:
    """The Counts port. Raises StoreUnavailable."""

    def __init__(self, client: Client, keys: RedisKeys) -> None:
        self._client = client
        self._keys = keys
        self._seen = Positions()

    async def of_tweets(self, tweets: Collection[TweetId]) -> dict[TweetId, TweetCounts]:
        """Return the counters of each tweet."""
        return {t: TweetCounts(*c) for t, c in await self._read(_TWEET, tweets, get_args(TweetCounter))}

    async def of_accounts(self, accounts: Collection[AccountId]) -> dict[AccountId, AccountCounts]:
        """Return the counters of each account."""
        return {a: AccountCounts(*c) for a, c in await self._read(_ACCOUNT, accounts, get_args(AccountCounter))}

    async def _read(self, kind: str, ids: Collection[Any], fields: Sequence[str]) -> list[tuple[Any, list[int]]]:
        if not ids:
            return []
        with answering():
            async with self._client.pipeline(transaction=False) as pipeline:
                for id_ in ids:
                    pipeline.hmget(self._keys.of(kind, id_)[1], fields)
                found = await pipeline.execute()
        return [(id_, [int(n or 0) for n in row]) for id_, row in zip(ids, found, strict=True) if any(row)]

    async def positions(self) -> tuple[Positions, bool]:
        """Return the positions of the counters, and whether they are stale.

        They are stale if they are lost, being rebuilt, or behind earlier reads. Reads that wait for a write use this,
        and responses with `Consistency: stale`. Costs two round trips.
        """
        epoch, positions, until = await held(self._client, self._keys)
        if not epoch:
            return Positions(), True
        stale = not (positions.covers(until) and positions.covers(self._seen))
        self._seen = self._seen.merged(positions)
        return positions, stale


MODEL: Model[CountRows, Counts] = Model(RedisCountRows, RedisCounts)
