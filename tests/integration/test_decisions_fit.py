"""The decision state refuses a log that is not its own: a shorter one, or one with other events."""

import asyncio
from collections.abc import AsyncIterator, Iterable, Mapping
from pathlib import Path

import msgspec
import pytest

from command_api.domain.block_account import BLOCK_ACCOUNT, BlockAccount
from command_api.postgres import rebuild
from command_api.postgres.rebuild import SOURCES, lacking, lineage, marks
from events.fitting import DoesNotFit
from events.ids import EventId, Millis, first_id_at
from events.kafka.log import KafkaLogReader
from events.log import LogUnavailable, Positions, Record, StoredRecord, TopicPartition
from events.partitioning import partition_of
from runtime.distributed.consistency.decision_state import check_decisions, fold_decisions, ids_before
from tests.contracts.commands import ALICE, BOB, CAROL, SAY, by, edit, follow, like, post, posted, settle, unlike
from tests.contracts.embedded import EMAIL_KEY
from tests.on_postgres import PostgresSystem, World, a_world

pytestmark = pytest.mark.engines

OTHER = EventId(first_id_at(Millis(7)))


class Kafka(KafkaLogReader):
    """A log as Kafka's reader returns it. `lost` records of a partition are missing, and `other` ones are foreign."""

    def __init__(self, world: World) -> None:
        self._world = world
        self.lost: dict[TopicPartition, int] = {}
        self.other: set[TopicPartition] = set()

    async def ends(self) -> Positions:
        ends = await self._world.log.log.ends()
        return Positions({place: end - self.lost.get(place, 0) for place, end in ends.items()})

    async def read(
        self, after: Mapping[TopicPartition, int], limit: int, topics: Iterable[str] | None = None
    ) -> list[Record]:
        ends = await self.ends()
        records = await self._world.log.log.read(after, limit, topics)
        return [self._told(record) for record in records if record.offset < ends[record.place]]

    async def read_stored(
        self, after: Mapping[TopicPartition, int], limit: int, topics: Iterable[str] | None = None
    ) -> list[StoredRecord]:
        return [
            StoredRecord(r.topic, r.partition, r.offset, r.key, r.type, r.version, b"", r.about, r.fault)
            for r in await self.read(after, limit, topics)
        ]

    def _told(self, record: Record) -> Record:
        if record.place not in self.other:
            return record
        return msgspec.structs.replace(record, about=msgspec.structs.replace(record.about, id=OTHER))


@pytest.fixture(params=[1, 4], ids=["1 partition", "4 partitions"])
async def world(postgres: str, tmp_path: Path, request: pytest.FixtureRequest) -> AsyncIterator[World]:
    async with a_world(postgres, tmp_path, partitions=request.param) as made:
        yield made


@pytest.fixture
async def system(world: World) -> PostgresSystem:
    made = world.process()
    await settle(made)
    tweet = await posted(made)
    await posted(made, BOB, reply_to=tweet)
    await edit(made, tweet, "edited")
    await like(made, tweet)
    await unlike(made, tweet)
    await follow(made, ALICE, BOB)
    await follow(made, BOB, ALICE)
    await world.drained()
    return made


@pytest.fixture
async def last(world: World, system: PostgresSystem) -> TopicPartition:
    """Return a partition of a source topic that has events."""
    return max(place for place in await world.log.log.ends() if place.topic == "graph")


async def test_each_partition_is_known_by_its_newest_event(world: World, system: PostgresSystem) -> None:
    found, log = await marks(system.pool, world.partitions), Kafka(world)
    ends = {place: end for place, end in (await log.ends()).items() if place.topic in SOURCES}
    assert {place: mark.next for place, mark in found.items() if place.topic in SOURCES} == ends
    ids = await ids_before(log, ends)
    assert {place: found[place].last for place in ends} == ids
    await check_decisions(log, system.pool, world.partitions)


async def test_the_last_event_of_a_partition_is_not_guessed_after_a_command_on_two_entities(
    world: World, system: PostgresSystem
) -> None:
    await system.store.execute(BLOCK_ACCOUNT, BlockAccount(ALICE, BOB), by(ALICE), SAY)  # the follows of both end
    await world.drained()
    found = await marks(system.pool, world.partitions)
    graph = {partition_of(account, world.partitions) for account in (ALICE, BOB)}
    known = [bool(found[TopicPartition("graph", partition)].last) for partition in graph]
    assert known == [False] if len(graph) == 1 else [True, True]
    await check_decisions(Kafka(world), system.pool, world.partitions)


async def test_a_log_that_lost_its_end_is_refused_also_where_the_outbox_is_pruned(
    world: World, system: PostgresSystem, last: TopicPartition
) -> None:
    log = Kafka(world)
    end = (await log.ends())[last]
    log.lost = {last: 1}
    with pytest.raises(DoesNotFit, match=f"{last} ends at {end - 1} in the log.*`minitwitter rebuild decisions`"):
        await check_decisions(log, system.pool, world.partitions)
    await system.tamper("DELETE FROM outbox")
    await system.tamper(f"UPDATE noted_positions SET positions='{await world.log.log.ends()}'")
    with pytest.raises(DoesNotFit, match=f"{last} ends at {end - 1} in the log"):
        await check_decisions(log, system.pool, world.partitions)
    await check_decisions(Kafka(world), system.pool, world.partitions)


async def test_a_log_with_other_events_is_refused(world: World, system: PostgresSystem, last: TopicPartition) -> None:
    log = Kafka(world)
    log.other = {last}
    with pytest.raises(DoesNotFit, match=f"is event {OTHER} in the log"):
        await check_decisions(log, system.pool, world.partitions)


async def test_unpublished_rows_of_the_outbox_are_no_difference(
    world: World, system: PostgresSystem, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(rebuild, "_SETTLES_S", 0.0)
    world.log.unavailable = True
    await post(system)[1]
    await check_decisions(Kafka(world), system.pool, world.partitions)
    with pytest.raises(LogUnavailable, match="outbox"):
        await fold_decisions(Kafka(world), system.pool, EMAIL_KEY, lambda total: None, lambda done: None)
    world.log.unavailable = False


async def test_rows_published_during_the_check_are_no_difference(world: World, system: PostgresSystem) -> None:
    log = Kafka(world)

    async def writing() -> None:
        for _ in range(20):
            await posted(system)

    writer = asyncio.create_task(writing())
    while not writer.done():
        await check_decisions(log, system.pool, world.partitions)
    await writer


async def test_after_a_rebuild_from_the_present_log_the_state_fits_and_decides(
    world: World, system: PostgresSystem, last: TopicPartition
) -> None:
    log, before = Kafka(world), await lineage(system.pool)
    log.lost = {last: 1}
    events = sum(end for place, end in (await log.ends()).items() if place.topic in SOURCES)
    total: list[int] = []
    folded = await fold_decisions(log, system.pool, EMAIL_KEY, total.append, lambda done: None)
    assert [folded] == [events] == total
    await check_decisions(log, system.pool, world.partitions)
    assert not await lacking(system.pool, await log.ends(), world.partitions)
    assert await lineage(system.pool) != before, "processes that decided on what is forgotten find out"
    await follow(system, CAROL, ALICE)
