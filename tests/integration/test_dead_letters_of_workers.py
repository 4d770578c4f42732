"""Dead letters of groups with several workers: stored in PostgreSQL, retried by the worker that has the partition."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Iterable, Mapping, Sequence
from contextlib import AsyncExitStack, asynccontextmanager

import pytest

from events.event import BY_CLASS
from events.ids import HybridClock
from events.log import New, Positions, Record, TopicPartition, positions_after
from events.operations import DeadLetterDiscarded
from events.postgres.connections import Pool
from runtime.dead_letter_policy import MOST, CannotApply
from runtime.dead_letters import Choice, Mended, NothingToDiscard
from runtime.discards import Discards
from runtime.distributed.dead_letters import LettersOfGroups, WorkersSilent
from runtime.distributed.models.catalogue import TOPICS
from runtime.distributed.roles.hosted_group import HostedGroup, SetAside, record_at
from runtime.processor_group import Group
from stores.dead_letters import Counts
from stores.postgres.dead_letters import PostgresDeadLetters, counted, pool_of
from stores.postgres.pointers import Pointers
from stores.sink import StoreUnavailable
from tests.on_postgres import a_database
from tests.projections.setting_aside import ADA, BOB, GRAPH, NOW, Kept, Log, Noting

pytestmark = pytest.mark.engines

OPERATIONS = TopicPartition("operations", 0)
OTHER = TopicPartition("graph", 1)


class LogWithDiscards(Log):
    """A log that also has operators' discards."""

    def __init__(self) -> None:
        super().__init__()
        self.discards: list[Record] = []

    async def publish(self, news: Sequence[New]) -> None:
        for event, about in news:
            kind = BY_CLASS[type(event)]
            offset = len(self.discards)
            key = kind.key(event)
            self.discards.append(Record(kind.topic, 0, offset, key, kind.name, kind.version, event, about))

    async def read(
        self, after: Mapping[TopicPartition, int], limit: int, topics: Iterable[str] | None = None
    ) -> list[Record]:
        if topics is not None and "operations" in topics:
            return self.discards[after.get(OPERATIONS, 0) :][:limit]
        return await super().read(after, limit, topics)


class Worker:
    """One of several workers of a group. All share the sink."""

    def __init__(self, letters: PostgresDeadLetters, log: LogWithDiscards, sink: Kept) -> None:
        self.sink, self.log = sink, log
        self.projector = Noting(sink)
        self.fail = True
        self.projector.fails = lambda event, about: self.fail and getattr(event, "follower", "") == BOB
        group = Group("serving", [self.projector], [], sink, clock=lambda: NOW)
        self.hosted = HostedGroup(group, SetAside(letters, Discards(), log))

    async def work(self) -> None:
        """Continue from the sink's positions, as after an assignment."""
        at = await self.hosted.positions()
        records = await self.log.read(at, 1000, ["graph"])
        if records:
            await self.hosted.apply(records, positions_after(records, at))


class World:
    """A log, a sink, and letters in PostgreSQL."""

    def __init__(self, pool: Pool) -> None:
        self.log, self.sink, self.pool = LogWithDiscards(), Kept(), pool
        self.letters = PostgresDeadLetters(pool, "serving", "a keyspace")

    def worker(self) -> Worker:
        return Worker(self.letters, self.log, self.sink)

    def desk(self, wait_s: float = 30) -> LettersOfGroups:
        return LettersOfGroups({"serving": self.letters}, self.log.publish, HybridClock(), wait_s=wait_s)

    async def pages(self) -> list[tuple[int, str]]:
        return [(letter.offset, letter.cause) for letter in await self.letters.page()]


@pytest.fixture
async def world(postgres: str) -> AsyncIterator[World]:
    with a_database(postgres) as url:
        await Pointers(url).migrate()
        pool = pool_of(url)
        await pool.open()
        yield World(pool)
        await pool.close()


@asynccontextmanager
async def mending(worker: Worker) -> AsyncIterator[None]:
    """Let a worker read the requests, as it does between batches."""

    async def look() -> None:
        while True:
            await worker.hosted.mend({GRAPH})
            await asyncio.sleep(0.01)

    looking = asyncio.create_task(look())
    yield
    looking.cancel()
    await asyncio.gather(looking, return_exceptions=True)


REFUSED = "Refusing: not this one"


async def test_one_account_s_failing_events_wait_in_both_workers_and_all_others_go_on(world: World) -> None:
    first, second = world.worker(), world.worker()
    bad, good = world.log.follow(BOB), world.log.follow(ADA)
    await first.work()
    held, more = world.log.follow(BOB), world.log.follow(ADA)
    await second.work()
    assert world.sink.rows == [good.about.id, more.about.id]
    assert await world.pages() == [(bad.offset, REFUSED), (held.offset, "")]
    [counts] = (await counted(world.pool)).values()
    assert counts == Counts(failed=1, all=2)
    await second.hosted.mend(())
    assert second.hosted.degraded == (
        "serving has 2 dead letters, 1 of them held back; `minitwitter dead-letters list` shows them"
    )


async def test_a_retry_is_done_by_the_worker_that_has_the_partition(world: World) -> None:
    owner, other = world.worker(), world.worker()
    bad, held = world.log.follow(BOB), world.log.follow(BOB)
    await owner.work()
    owner.fail = other.fail = False
    await world.letters.ask("retry", await world.letters.page())
    await other.hosted.mend({OTHER})
    assert world.sink.rows == []
    assert await owner.hosted.mend({GRAPH}) == [bad, held]  # so that what is remembered of them is forgotten
    assert world.sink.rows == [bad.about.id, held.about.id]
    assert await world.pages() == []
    assert owner.hosted.degraded == ""


async def test_two_workers_that_both_believe_a_partition_is_theirs_retry_nothing_twice(world: World) -> None:
    workers = [world.worker(), world.worker()]
    bad = world.log.follow(BOB)
    await workers[0].work()
    for worker in workers:
        worker.fail = False
    await world.letters.ask("retry", await world.letters.page())
    await asyncio.gather(*(worker.hosted.mend({GRAPH}) for worker in workers))
    assert world.sink.rows == [bad.about.id]
    assert await world.pages() == []


async def test_an_entity_that_another_worker_retries_is_left_to_it(world: World) -> None:
    worker = world.worker()
    world.log.follow(BOB)
    await worker.work()
    [letter] = await world.letters.page()
    await world.letters.ask("retry", [letter])
    async with world.letters.alone_with(letter.entity) as mine:
        assert mine
        async with world.letters.alone_with(letter.entity) as also_mine:
            assert not also_mine
    async with world.letters.alone_with(letter.entity):
        worker.fail = False
        await worker.hosted.mend({GRAPH})
    assert await world.pages() == [(0, REFUSED)]
    await worker.hosted.mend({GRAPH})
    assert await world.pages() == []


async def test_all_groups_of_a_process_retry_at_the_same_time(world: World) -> None:
    async with AsyncExitStack() as groups:
        for group in TOPICS:
            letters = PostgresDeadLetters(world.pool, group, "a keyspace")
            assert await groups.enter_async_context(letters.alone_with(("graph", BOB)))
        assert await world.pages() == []


async def test_a_worker_that_dies_between_letter_and_positions_is_followed_by_one_that_passes_over_the_record(
    world: World,
) -> None:
    bad, good, held = world.log.follow(BOB), world.log.follow(ADA), world.log.follow(BOB)
    world.sink.refuses = lambda rows: StoreUnavailable("killed")
    with pytest.raises(StoreUnavailable):
        await world.worker().work()
    assert await world.pages() == [(bad.offset, REFUSED), (held.offset, "")]
    world.sink.refuses = lambda rows: None
    await world.worker().work()
    assert world.sink.rows == [good.about.id]
    assert world.sink.reached == Positions({GRAPH: 3})
    assert await world.pages() == [(bad.offset, REFUSED), (held.offset, "")]


async def test_a_failed_retry_is_not_repeated(world: World) -> None:
    worker = world.worker()
    world.log.follow(BOB)
    await worker.work()
    async with mending(worker):
        assert await world.desk().retry(Choice()) == Mended(applied=0, left=1)
    [letter] = await world.letters.page()
    assert letter.attempts == 2


async def test_a_discard_is_in_the_log_and_frees_what_was_held_back(world: World) -> None:
    worker = world.worker()
    bad, held = world.log.unreadable(BOB), world.log.follow(BOB)
    await worker.work()
    worker.fail = False
    async with mending(worker):
        done = await world.desk().discard(Choice(position=bad.position))
    assert done == Mended(discarded=1)
    assert world.sink.rows == [held.about.id]
    [event] = [record.event for record in world.log.discards]
    assert (event.position, event.group) == ("graph-0@0", "serving")  # type: ignore[union-attr]
    rebuilt = Group("serving", [Noting(Kept())], [], Kept())
    discards = Discards()
    rebuilding = HostedGroup(rebuilt)
    with pytest.raises(CannotApply, match="graph-0@0"):
        await rebuilding.apply(world.log.records, Positions({GRAPH: 2}))
    await discards.read(world.log)
    rebuilt.set_aside(None, discards.of("serving"))
    await rebuilding.apply(world.log.records, Positions({GRAPH: 2}))


async def test_a_worker_skips_a_record_that_was_discarded_before_it_was_read(world: World) -> None:
    worker = world.worker()
    known = world.log.unreadable(BOB)
    await worker.work()
    ahead = [world.log.unreadable(f"key {n}") for n in range(3 * MOST)]
    good = world.log.follow(ADA)
    found = [DeadLetterDiscarded(position=one.position, group="serving", type=one.type) for one in (known, *ahead)]
    await world.desk().give_up(found)
    assert [record.event for record in world.log.discards] == found
    await worker.work()
    assert world.sink.rows == [good.about.id]
    await worker.hosted.mend({GRAPH})
    assert await world.pages() == []


async def test_a_record_that_is_no_dead_letter_is_discarded_if_its_group_is_named(world: World) -> None:
    with pytest.raises(NothingToDiscard, match="there are no such"):
        await world.desk().discard(Choice(group="serving"))
    with pytest.raises(NothingToDiscard, match="say --group serving"):
        await world.desk().discard(Choice(position="graph-0@7"))
    assert await world.desk().discard(Choice("serving", "graph-0@7")) == Mended()
    discards = Discards()
    await discards.read(world.log)
    assert discards.of("serving").has(GRAPH, 7)


async def test_discarding_all_gives_up_what_failed_and_nothing_that_was_held_back(world: World) -> None:
    worker = world.worker()
    _, held = world.log.unreadable(BOB), world.log.follow(BOB)
    await worker.work()
    worker.fail = False
    async with mending(worker):
        assert await world.desk().discard(Choice()) == Mended(discarded=1)
    assert world.sink.rows == [held.about.id]


async def test_without_a_worker_for_the_partition_the_command_says_so_and_the_request_stays(world: World) -> None:
    worker = world.worker()
    world.log.follow(BOB)
    await worker.work()
    with pytest.raises(WorkersSilent, match="1 dead letter waits; the workers of the partitions will do it"):
        await world.desk(wait_s=0).retry(Choice(group="serving"))
    worker.fail = False
    await worker.hosted.mend({GRAPH})
    assert await world.pages() == []


async def test_a_generation_does_not_see_the_letters_of_another(world: World, postgres: str) -> None:
    worker = world.worker()
    world.log.follow(BOB)
    await worker.work()
    another = PostgresDeadLetters(world.letters._pool, "serving", "another keyspace")
    assert await another.page() == []
    assert len(await world.letters.page()) == 1


async def test_characters_that_postgresql_refuses_are_removed_from_texts(world: World) -> None:
    worker = world.worker()
    world.log.unreadable("", fault="odd \0 and \ud800")
    await worker.work()
    [letter] = await world.letters.page()
    assert letter.cause == "odd  and ?"


async def test_the_record_at_a_position_is_read_or_there_is_none() -> None:
    log = Log()
    first, second = log.follow(ADA), log.follow(BOB)
    assert await record_at(log, GRAPH, 0) == first
    assert await record_at(log, GRAPH, 1) == second
    assert await record_at(log, GRAPH, 2) is None
    assert await record_at(log, OTHER, 0) is None
