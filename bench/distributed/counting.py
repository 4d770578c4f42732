"""Counters in Redis: the projector's batches beside plain increments."""

from __future__ import annotations

import itertools
import time
from collections.abc import AsyncIterator, Sequence

from events.engagement import TweetLiked
from events.graph import AccountFollowed
from events.ids import TweetId
from events.log import Positions, Record, positions_after
from runtime.distributed.models.groups import counts
from runtime.processor_group import Group
from stores.redis.connection import Client, connect

from ..figures import Figure
from .bench import Bench
from .installation import PARTITIONS
from .made_up import MadeUp

ACCOUNTS, TWEETS = 2_000, 5_000
EVENTS = 200_000
LIKES_A_FOLLOW = 2
"""A like is one increment, a follow two."""
BATCH, LARGE = 500, 5_000
"""Records of a batch: the maximum of a worker, and that of a rebuild."""


async def measure(bench: Bench) -> AsyncIterator[Figure]:
    """Measure increments a second, with the newest ids and positions that make each count once."""
    records = _records(bench.some(EVENTS, 20_000))
    redis = connect(bench.engines.redis)
    try:
        raw = await _raw(redis, records)
        for batch in (BATCH, LARGE):
            group = _group(redis, f"bench-{batch}-{bench.directory.name}-")
            rate = await _counted(group, records, batch)
            name = f"counters through the projector, batches of {batch:,}"
            limit_name = f"HINCRBY, pipelined by {BATCH}"
            yield Figure(name, rate, "increments/s", 100_000, limit=raw, limit_name=limit_name)
    finally:
        async for key in redis.scan_iter(match=f"*bench-*{bench.directory.name}*", count=1_000):
            await redis.unlink(key)
        await redis.aclose()


def _group(redis: Client, prefix: str) -> Group:
    async def nothing_yet() -> Positions:
        return Positions()

    return counts(redis, prefix, PARTITIONS, nothing_yet)


def _records(number: int) -> list[Record]:
    made = MadeUp(ACCOUNTS)
    accounts = made.accounts
    tweets = [TweetId(made.ids.issue()) for _ in range(TWEETS)]
    found = []
    for n in range(number):
        actor, other = accounts[n % ACCOUNTS], accounts[n * 7 % ACCOUNTS]
        if n % (LIKES_A_FOLLOW + 1):
            found.append(made.record(TweetLiked(tweet=tweets[n * 13 % TWEETS], author=other, actor=actor)))
        else:
            found.append(made.record(AccountFollowed(follower=actor, followee=other)))
    return found


def _increments(records: Sequence[Record]) -> int:
    return sum(2 if record.topic == "graph" else 1 for record in records)


async def _counted(group: Group, records: Sequence[Record], batch: int) -> float:
    await group.sink.positions()
    positions, began = Positions(), time.perf_counter()
    for start in range(0, len(records), batch):
        part = records[start : start + batch]
        positions = positions_after(part, positions)
        await group.apply(part, positions)
    return _increments(records) / (time.perf_counter() - began)


async def _raw(redis: Client, records: Sequence[Record]) -> float:
    number = _increments(records)
    keys = itertools.cycle([f"bench-raw:{n}" for n in range(ACCOUNTS + TWEETS)])
    began = time.perf_counter()
    for _ in range(0, number, BATCH):
        async with redis.pipeline(transaction=False) as pipeline:
            for _ in range(BATCH):
                pipeline.hincrby(next(keys), "likes", 1)
            await pipeline.execute()
    rate = number / (time.perf_counter() - began)
    await redis.unlink(*(f"bench-raw:{n}" for n in range(ACCOUNTS + TWEETS)))
    return rate
