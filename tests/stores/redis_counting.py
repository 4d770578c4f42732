"""Counters on Redis, written as by a worker: a log in memory with several partitions, a group, and its sink."""

from __future__ import annotations

import random
from collections.abc import Iterable, Mapping, Sequence
from typing import Any

import msgspec

from events.first_copies import Entity
from events.log import Positions, Record, TopicPartition
from events.partitioning import partition_of
from projectors.counts import Counts
from runtime.processor_group import Group, Runner
from stores.counts import Counts as CountsPort
from stores.redis.connection import Client
from stores.redis.counts import RedisCountRows, RedisCounts
from stores.redis.sink import RedisKeys, RedisSink
from tests.community import Community
from tests.histories import CHOICES
from tests.projections.projected import Projected

PARTITIONS = 4
SLOTS = 3


def community(seed: int, steps: int = 120) -> Community:
    """A community with a random history."""
    chance = random.Random(seed)
    made = Community()
    for _ in range(8):
        made.register()
    for _ in range(steps):
        made.act(chance.choice(CHOICES), chance.randrange(8), chance.randrange(8), chance.randrange(60))
    return made


def place_of(entity: Entity) -> TopicPartition:
    """Return the partition of an entity's events."""
    topic, key = entity
    return TopicPartition(topic, partition_of(key, PARTITIONS))


class Log:
    """A log in memory with several partitions. It has the given records in their order, copies included."""

    def __init__(self, records: Iterable[Record]) -> None:
        self.partitions: dict[TopicPartition, list[Record]] = {}
        self.open = 0.0
        """The share of each partition that is in the log already, from 0 to 1."""
        for record in records:
            place = place_of((record.topic, record.key))
            there = self.partitions.setdefault(place, [])
            there.append(msgspec.structs.replace(record, partition=place.partition, offset=len(there)))

    def _there(self, place: TopicPartition) -> list[Record]:
        records = self.partitions[place]
        return records[: round(len(records) * self.open)]

    async def read(
        self, after: Mapping[TopicPartition, int], limit: int, topics: Iterable[str] | None = None
    ) -> list[Record]:
        wanted = self.partitions if topics is None else [p for p in self.partitions if p.topic in set(topics)]
        found = [record for place in wanted for record in self._there(place)[after.get(place, 0) :]]
        return found[:limit]

    async def ends(self) -> Positions:
        return Positions({place: len(self._there(place)) for place in self.partitions})

    async def ends_of_counts(self) -> Positions:
        return Positions((place, end) for place, end in (await self.ends()).items() if place.topic in TOPICS)


TOPICS = frozenset(("tweets", "engagement", "graph", "personal"))


class Worker:
    """A worker process that counts."""

    def __init__(self, client: Client, log: Log, name: str, *, limit: int = 7) -> None:
        self.client = client
        self.sink = RedisSink(
            client,
            RedisKeys(name, SLOTS),
            place_of=place_of,
            ends=log.ends_of_counts,
            new_epoch=lambda: f"{random.getrandbits(64):016x}",
        )
        group = Group("counts", [Counts(RedisCountRows(self.sink))], [], self.sink)
        assert group.topics == TOPICS
        self.runner = Runner(group, log, limit)

    async def work(self) -> None:
        """Continue from the stored positions to the end of the log."""
        await self.runner.start()
        await self.runner.catch_up()


Answer = tuple[dict[str, tuple[int, ...]], dict[str, tuple[int, ...]]]
"""The counters of tweets and of accounts that are not zero."""


def _without_zeros(rows: Mapping[Any, Sequence[int]]) -> dict[str, tuple[int, ...]]:
    return {id_: tuple(row) for id_, row in rows.items() if any(row)}


async def answers(counts: CountsPort, of: Community) -> Answer:
    """Return a reader's counters of all tweets and accounts."""
    tweets = await counts.of_tweets(list(of.tweets))
    accounts = await counts.of_accounts(of.accounts)
    return (
        _without_zeros({id_: msgspec.structs.astuple(row) for id_, row in tweets.items()}),
        _without_zeros(accounts),
    )


async def expected(of: Community) -> Answer:
    """Return the same from the embedded profile, which applied every record once."""
    models = Projected()
    try:
        await models.apply(of.records)
        return await answers(models.readers.counts, of)
    finally:
        models.close()


def reader(client: Client, name: str) -> RedisCounts:
    """Return the counters that the query API reads."""
    return RedisCounts(client, RedisKeys(name, SLOTS))


async def keys_of(client: Client, name: str) -> list[bytes]:
    """Return all keys and values of a read model in Redis."""
    return [key async for key in client.scan_iter(match=RedisKeys(name).all)]


async def wipe(client: Client, name: str) -> None:
    """Delete all keys of the read model."""
    await client.delete(*await keys_of(client, name))
