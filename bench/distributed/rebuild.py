"""Rebuilding from Kafka by the batch runner, beside the sinks alone and the consumer alone.

The time of a sink alone is measured inside: with the same records, read and decoded before.
"""

from __future__ import annotations

import itertools
import time
from collections.abc import AsyncIterator, Iterable, Mapping, Sequence
from contextlib import AsyncExitStack, asynccontextmanager

from events.first_copies import Entity
from events.kafka.log import KafkaLogReader
from events.kafka.topics import partitions_of
from events.log import Positions, Record, TopicPartition, positions_after
from runtime.child_process import cores
from runtime.distributed.engines import Engines
from runtime.distributed.models import groups
from runtime.distributed.models.catalogue import CASSANDRA, COUNTERS, SEARCHES
from runtime.distributed.models.generations import Generations
from runtime.distributed.rebuild.batch_runner import BATCH, GroupBuild, build
from runtime.distributed.rebuild.side_by_side import build_side_by_side
from runtime.distributed.settings import DistributedSettings
from runtime.gc_tuning import freeze_startup_objects
from runtime.processor_group import Group
from stores.cassandra.migrating import drop
from stores.cassandra.migrating import migrate as migrate_cassandra
from stores.redis.digest import remove
from stores.sink import UNKNOWN, Sink

from ..figures import Figure
from ..kafka import raw_consume
from .bench import Bench
from .installation import PARTITIONS, Installation
from .made_up import MadeUp, append

ACCOUNTS, EVENTS = 1_000, 100_000
SHARE = 0.6
"""The target of one process, as a share of the sink's rate."""
GROWTH = 1.2
"""The target of several processes, as a multiple of one: the engines need processors, too."""
_MARK = "bench"
_TOPICS = ("accounts", "tweets", "engagement", "graph")


class NotBuilt(Exception):
    """A process ended early."""


class Timed:
    """A sink, and the seconds that its commits took."""

    def __init__(self, sink: Sink) -> None:
        self._sink = sink
        self.seconds = 0.0
        self.positions = sink.positions
        self.marks = sink.marks
        self.begin = sink.begin
        self.applying = sink.applying
        self.abandon = sink.abandon
        self.check = sink.check
        self.close = sink.close

    async def newest(self, entities: Iterable[Entity]) -> dict[Entity, str]:
        """Return the newest ids from the sink."""
        began = time.perf_counter()
        try:
            return await self._sink.newest(entities)
        finally:
            self.seconds += time.perf_counter() - began

    async def commit(
        self, positions: Positions, newest: Mapping[Entity, str], last: Mapping[TopicPartition, str] = UNKNOWN
    ) -> None:
        """Commit the batch."""
        began = time.perf_counter()
        try:
            await self._sink.commit(positions, newest, last)
        finally:
            self.seconds += time.perf_counter() - began


async def measure(bench: Bench) -> AsyncIterator[Figure]:
    """Measure events a second: consumed and decoded, and rebuilt, one group at a time."""
    async with AsyncExitStack() as stack:
        installation = await stack.enter_async_context(bench.installation())
        await _publish(installation, bench.some(EVENTS, 10_000))
        engines = await stack.enter_async_context(Engines.open(DistributedSettings.of(installation.settings)))
        freeze_startup_objects()  # as a rebuild does
        reader = _reader(installation, engines)
        try:
            ends = await reader.ends()
            began = time.perf_counter()
            records = await _read(reader, ends)
            decoded = len(records) / (time.perf_counter() - began)
            consumed = raw_consume(installation.servers, _named(installation, ends), len(records))
            yield Figure(
                "rebuild: consumed and decoded",
                decoded,
                "events/s",
                50_000,
                limit=consumed,
                limit_name="confluent-kafka, nothing decoded",
            )
            for store in (CASSANDRA, COUNTERS, SEARCHES):
                async with _place(installation, engines, store) as group:
                    alone = await _applied(group, records)
                async with _place(installation, engines, store) as group:
                    rate = await _built(group, reader, ends)
                yield Figure(
                    f"rebuild: {group.name}",
                    rate,
                    "events/s",
                    SHARE * alone,
                    limit=alone,
                    limit_name="the sink alone",
                )
                async with _place(installation, engines, store) as group:
                    side_by_side = await _built_side_by_side(installation, store, group, ends)
                yield Figure(
                    f"rebuild: {group.name}, in {cores()} processes",
                    side_by_side,
                    "events/s",
                    GROWTH * rate,
                    limit=cores() * rate,
                    limit_name=f"{cores()} times one process",
                )
        finally:
            await reader.close()


async def _publish(installation: Installation, number: int) -> None:
    """Publish a log of invented events."""
    made = MadeUp(ACCOUNTS)
    async with Engines.open(DistributedSettings.of(installation.settings)) as engines:
        for account in made.accounts:
            await engines.keys.create(account)
        events = itertools.chain(made.registrations(), made.history(number))
        await append(installation, (made.outgoing(event, engines.codec) for event in events))


def _reader(installation: Installation, engines: Engines) -> KafkaLogReader:
    return KafkaLogReader(
        installation.servers,
        partitions_of(_TOPICS, PARTITIONS),
        engines.codec,
        engines.keys,
        prefix=installation.settings.topic_prefix,
    )


def _named(installation: Installation, ends: Positions) -> list[TopicPartition]:
    """Return the partitions with Kafka's names."""
    return [TopicPartition(installation.settings.topic_prefix + topic, partition) for topic, partition in ends]


async def _read(reader: KafkaLogReader, ends: Positions) -> list[Record]:
    records: list[Record] = []
    positions = Positions()
    while not positions.covers(ends):
        batch = await reader.read(positions, BATCH)
        positions = positions_after(batch, positions)
        records += batch
    return records


@asynccontextmanager
async def _place(installation: Installation, engines: Engines, store: str) -> AsyncIterator[Group]:
    """Create the first group of a store in a new generation, as a rebuild does."""
    generations = installation.generations.marked(store, _MARK)
    try:
        if store == CASSANDRA:
            await migrate_cassandra(generations.address)
            # Nobody needs it after a crash: as in a rebuild.
            await engines.cassandra.read(f"ALTER KEYSPACE {generations.address.keyspace} WITH durable_writes = false")
        if store == SEARCHES:
            await generations.database.migrate()
        group = _group(installation, engines, generations, store)
        yield group
        await group.sink.close()
    finally:
        if store == CASSANDRA:
            await drop(generations.address)
        if store == COUNTERS:
            await remove(engines.redis, generations.keys)
        if store == SEARCHES:
            await generations.database.drop()


def _group(installation: Installation, engines: Engines, generations: Generations, store: str) -> Group:
    if store == CASSANDRA:
        return groups.timelines(engines.cassandra, generations.address.keyspace)
    if store == COUNTERS:
        prefix = installation.settings.topic_prefix
        return groups.counts(engines.redis, prefix, PARTITIONS, engines.log.ends, keys=generations.keys)
    return groups.search(generations.database)


def _of(group: Group, records: Sequence[Record]) -> list[Record]:
    return [record for record in records if record.topic in group.topics]


async def _applied(group: Group, records: Sequence[Record]) -> float:
    """Return the records a second that the sink commits."""
    sink = group.sink = Timed(group.sink)
    await sink.positions()
    wanted, positions = _of(group, records), Positions()
    for start in range(0, len(wanted), BATCH):
        batch = wanted[start : start + BATCH]
        positions = positions_after(batch, positions)
        await group.apply(batch, positions)
    return len(wanted) / sink.seconds


async def _built(group: Group, reader: KafkaLogReader, ends: Positions) -> float:
    """Return the records a second that the batch runner builds with."""
    building = GroupBuild.of(group)
    await building.resume()
    began = time.perf_counter()
    number = await build(reader, [building], {group.name: ends})
    return number / (time.perf_counter() - began)


async def _built_side_by_side(installation: Installation, store: str, group: Group, ends: Positions) -> float:
    """Return the records a second that several processes build with together, from the first batch on."""
    building = GroupBuild.of(group)
    await building.resume()
    reports: list[tuple[float, int]] = []
    generation = installation.generations.marked(store, _MARK).names()[store]
    until = {group.name: building.goal(ends)}
    await build_side_by_side(
        installation.settings,
        store,
        generation,
        until,
        cores(),
        lambda records: reports.append((time.perf_counter(), records)),
    )
    if sum(records for _, records in reports) != sum(until[group.name].values()):
        raise NotBuilt(f"{store}: a process has not built its part")
    return sum(records for _, records in reports[1:]) / (reports[-1][0] - reports[0][0])
