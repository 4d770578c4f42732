"""Trends on PostgreSQL give the same answers and rankings as on SQLite, whichever worker applied the events."""

from __future__ import annotations

import asyncio
import random
from collections.abc import AsyncIterator, Callable, Iterator, Sequence
from contextlib import asynccontextmanager
from itertools import pairwise

import msgspec
import psycopg
import pytest
from hypothesis import given
from hypothesis import strategies as st

from events.codec import Codec
from events.ids import Millis
from events.log import LogUnavailable, New, Positions, Record, positions_after
from events.partitioning import partition_of
from events.publishing import Outgoing
from events.sealing import MasterKeys, Sealer
from events.trends import Trend
from runtime.distributed.models import groups
from runtime.processor_group import Group
from stores.postgres import trends as postgres_trends
from stores.postgres.database import Database
from stores.postgres.trends import MODEL, PostgresTrends
from stores.sink import StoreUnavailable
from stores.trends import TooMuch, Trends, WindowNumbers
from streams.trends import newest_rankings
from tests.examples import at_most
from tests.histories import batched, interleaved, redelivered
from tests.stores.on_postgres import a_schema, digests
from tests.streams.analytics import DAY, HISTORIES, HOUR, NOW, Analytics, Tweeting

pytestmark = pytest.mark.engines

SEEDS = st.integers(0, 2**32).map(random.Random)
PARTITIONS = 4
THE_HOUR = "1h/2026-11-20T13:00:00.000Z"


class Topic:
    """The topic `trends`. It keeps published records, and can be unavailable."""

    def __init__(self) -> None:
        self.codec = Codec(Sealer(MasterKeys({"test": bytes(32)})))
        self.published: list[New] = []
        self.before: Callable[[], object] = lambda: None
        self.after: Callable[[], object] = lambda: None

    async def publish(self, records: Sequence[Outgoing]) -> Positions:
        """The Publisher port."""
        self.before()
        for record in records:
            event = self.codec.finish(self.codec.parse(record.type, record.version, record.value, record.about.id))
            assert event is not None
            self.published.append(New(event, record.about))
        self.after()
        return Positions()

    def newest(self) -> dict[str, tuple[Trend, ...]]:
        return newest_rankings(self.published)


class Worker:
    """A worker of the group, with its own connection."""

    def __init__(self, database: Database, topic: Topic) -> None:
        self.group: Group = groups.trends(database, topic, topic.codec)
        self.positions = Positions()

    async def apply(self, records: Sequence[Record]) -> None:
        """Apply a batch; repeat it if another worker has applied a part of it."""
        self.positions = positions_after(records, self.positions)
        await self.group.apply(records, self.positions)

    async def emit_due(self) -> None:
        while await self.group.emit_due():
            pass

    async def see(self, tweeting: Tweeting) -> None:
        await self.apply(tweeting.untold())
        await self.emit_due()

    @property
    def pid(self) -> int:
        """Return the id of the server process that runs its batches."""
        sink = self.group.sink._sink  # type: ignore[attr-defined]
        return int(sink._connection.info.backend_pid)

    async def close(self) -> None:
        await self.group.sink.close()


class Trending:
    """An empty generation, its topic and its workers."""

    def __init__(self, database: Database) -> None:
        self.database = database
        self.topic = Topic()
        self.pool = database.pool(2)
        self.trends = PostgresTrends(self.pool)
        self.workers: list[Worker] = []

    def worker(self) -> Worker:
        self.workers.append(Worker(self.database, self.topic))
        return self.workers[-1]


@asynccontextmanager
async def emptied(database: Database) -> AsyncIterator[Trending]:
    made = Trending(database)
    await made.pool.open()
    async with made.pool.connection() as connection:
        tables = ("positions", "newest", *MODEL.tables, "trend_touched", "trend_due", "trend_rankings")
        await connection.execute(f"TRUNCATE {', '.join(tables)}".encode())
    try:
        yield made
    finally:
        for worker in made.workers:
            await worker.close()
        await made.pool.close()


@pytest.fixture(scope="module")
def database(postgres: str) -> Iterator[Database]:
    with a_schema(postgres) as made:
        yield made


@pytest.fixture
async def trending(database: Database) -> AsyncIterator[Trending]:
    async with emptied(database) as made:
        yield made


def shared_out(records: Sequence[Record], partitions: int = PARTITIONS) -> list[list[Record]]:
    """Return the records with the positions of a log with several partitions."""
    places: list[list[Record]] = [[] for _ in range(partitions)]
    for record in records:
        place = partition_of(record.key, partitions)
        places[place].append(msgspec.structs.replace(record, partition=place, offset=len(places[place])))
    return places


async def answers(trends: Trends, now: int) -> list[object]:
    """Return the port's answers for several windows."""
    found: list[object] = [await trends.as_of()]
    for ago, hours in ((0, 1), (0, 24), (1, 6), (24, 24), (25, 1), (168, 24)):
        end = Millis(now + 1 - ago * HOUR)
        start = Millis(end - hours * HOUR)
        tags, days = await trends.numbers(start, end)
        found += [tags, days, await trends.shown([tag.tag for tag in tags] + ["none"], start, end)]
    for tag in ("a", "b", "none"):
        start = Millis(now - now % DAY - 8 * DAY)
        for step in (HOUR, 6 * HOUR, DAY):
            found.append(await trends.history(tag, start, Millis(start + 9 * DAY), step))
    return found


@at_most(20)
@given(HISTORIES, SEEDS)
def test_answers_and_rankings_are_those_of_the_embedded_profile(
    database: Database, tweeting: Tweeting, randomness: random.Random
) -> None:
    async def run() -> None:
        analytics = Analytics()
        await analytics.see(tweeting)
        records = redelivered(interleaved(tweeting.records, randomness), randomness)
        async with emptied(database) as trending:
            worker = trending.worker()
            for batch in batched(records, randomness):
                await worker.apply(batch)
                for _ in range(randomness.choice((0, 0, 1, 3))):
                    await worker.group.emit_due()
            await worker.emit_due()
            assert await answers(trending.trends, tweeting.now) == await answers(analytics.trends, tweeting.now)
            assert trending.topic.newest() == newest_rankings(analytics.derived)
        analytics.close()

    asyncio.run(run())


@at_most(20)
@given(HISTORIES, SEEDS)
def test_workers_that_share_the_partitions_and_rank_at_once_give_the_same_result(
    database: Database, tweeting: Tweeting, randomness: random.Random
) -> None:
    """Each worker ranks at random times. A deadlock would raise StoreUnavailable."""
    places = shared_out(tweeting.records)

    async def run() -> None:
        analytics = Analytics()
        await analytics.see(tweeting)
        async with emptied(database) as trending:

            async def work(worker: Worker, own: Sequence[Sequence[Record]]) -> None:
                for batch in batched([record for place in own for record in place], randomness):
                    await worker.apply(batch)
                    if randomness.random() < 0.3:
                        await worker.group.emit_due()
                await worker.emit_due()

            await asyncio.gather(*(work(trending.worker(), places[n::3]) for n in range(3)))
            for worker in trending.workers:
                await worker.emit_due()
            assert trending.topic.newest() == newest_rankings(analytics.derived)
            assert await answers(trending.trends, tweeting.now) == await answers(analytics.trends, tweeting.now)
            together = (await digests(database))["trends"]
            by_window: dict[str, list[str]] = {}
            for event, about in trending.topic.published:
                by_window.setdefault(event.window, []).append(about.id)  # type: ignore[attr-defined]
            assert all(a < b for ids in by_window.values() for a, b in pairwise(ids))
        async with emptied(database) as trending:
            worker = trending.worker()
            await worker.see(Retold(places))
            assert (await digests(database))["trends"] == together
        analytics.close()

    asyncio.run(run())


class Retold(Tweeting):
    """Return the events, by partition."""

    def __init__(self, places: Sequence[Sequence[Record]]) -> None:
        super().__init__()
        self.records = [record for place in places for record in place]


def ended_hour() -> Tweeting:
    """An hour with a use of a tag, and a tweet after the end of the hour."""
    tweeting = Tweeting()
    tweeting.post("ada", "#museum")
    tweeting.now = Millis(NOW + HOUR)
    tweeting.post("bob", "later")
    return tweeting


async def test_a_late_event_that_is_applied_while_its_hour_is_ranked_is_ranked_next(trending: Trending) -> None:
    """The batch has set its mark of the hour and is about to commit while another worker ranks."""
    tweeting = ended_hour()
    first, second = trending.worker(), trending.worker()
    await first.apply(tweeting.untold())
    tweeting.post("eve", "#museum", at=NOW + 1)
    late = shared_out(tweeting.untold(), 64)
    async with trending.pool.connection() as other, other.transaction():
        await other.execute("LOCK TABLE newest IN SHARE MODE")
        committing = asyncio.ensure_future(second.apply([record for place in late for record in place]))
        await until_it_waits(trending, other)
        await asyncio.wait_for(first.group.emit_due(), 5)
    await committing
    await first.emit_due()
    [trend] = trending.topic.newest()[THE_HOUR]
    assert (trend.tag, trend.authors) == ("museum", 2)


async def test_an_hour_that_is_being_ranked_can_be_marked_again(trending: Trending) -> None:
    """The late event waits for the commit of the turn, and marks its hour again."""
    tweeting = ended_hour()
    first, second = trending.worker(), trending.worker()
    await first.apply(tweeting.untold())
    tweeting.post("eve", "#museum", at=NOW + 1)
    late = shared_out(tweeting.untold(), 64)
    committing: list[asyncio.Future[None]] = []

    def commit() -> None:
        committing.append(asyncio.ensure_future(second.apply([record for place in late for record in place])))

    trending.topic.before = commit  # published within the turn, before its commit
    await first.group.emit_due()
    trending.topic.before = lambda: None
    await asyncio.gather(*committing)
    await first.emit_due()
    [trend] = trending.topic.newest()[THE_HOUR]
    assert (trend.tag, trend.authors) == ("museum", 2)


async def until_it_waits(trending: Trending, connection: psycopg.AsyncConnection[tuple[object, ...]]) -> None:
    """Wait until a session waits for a lock of this connection."""
    for _ in range(500):
        found = await connection.execute(
            "SELECT count(*) FROM pg_locks WHERE NOT granted AND pg_backend_pid() = ANY(pg_blocking_pids(pid))"
        )
        if await found.fetchone() != (0,):
            return
        await asyncio.sleep(0.01)
    raise AssertionError("nobody waits")


async def test_a_ranking_that_was_published_and_rolled_back_is_followed_by_a_newer_one(trending: Trending) -> None:
    """Otherwise the next ranking could have the same id and be dropped as a copy."""
    tweeting = ended_hour()
    tweeting.post("eve", "#museum", at=NOW + 1)
    places = shared_out(tweeting.untold())
    late = [record for place in places for record in place if "museum" in str(record.event)][1:]
    early = [record for place in places for record in place if record not in late]
    first, second = trending.worker(), trending.worker()
    await first.apply(early)

    def die() -> None:
        with psycopg.connect(trending.database.url, autocommit=True) as connection:
            connection.execute("SELECT pg_terminate_backend(%s, 5000)", (first.pid,))

    trending.topic.after = die
    with pytest.raises(StoreUnavailable):
        await first.group.emit_due()
    trending.topic.after = lambda: None
    assert [trend.authors for trend in trending.topic.newest()[THE_HOUR]] == [1]

    await second.apply(late)
    await second.emit_due()
    assert [trend.authors for trend in trending.topic.newest()[THE_HOUR]] == [2]


async def test_windows_are_ranked_later_if_the_topic_is_unavailable(trending: Trending) -> None:
    def unavailable() -> None:
        raise LogUnavailable("the topic is unavailable")

    worker = trending.worker()
    await worker.apply(ended_hour().untold())
    trending.topic.before = unavailable
    for _ in range(2):
        with pytest.raises(LogUnavailable):
            await worker.group.emit_due()
    trending.topic.before = lambda: None
    assert await worker.group.has_due()
    await worker.emit_due()
    assert list(trending.topic.newest()) == [THE_HOUR]
    assert len(trending.topic.published) == 1


async def test_a_turn_whose_connection_dies_takes_nothing(trending: Trending) -> None:
    worker = trending.worker()
    await worker.apply(ended_hour().untold())
    [stream] = worker.group.streams
    await worker.group.sink.begin()
    with psycopg.connect(trending.database.url, autocommit=True) as connection:
        connection.execute("SELECT pg_terminate_backend(%s, 5000)", (worker.pid,))
    with pytest.raises(StoreUnavailable):
        await stream.emit_due()
    await worker.group.sink.abandon()
    assert trending.topic.published == []
    await worker.emit_due()
    assert list(trending.topic.newest()) == [THE_HOUR]


async def test_a_history_of_too_many_uses_is_refused(trending: Trending, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(postgres_trends, "MOST_ADDED_UP", 3)
    tweeting = Tweeting()
    for n in range(4):
        tweeting.post("ada", "#museum", at=NOW + n * HOUR)
    await trending.worker().see(tweeting)
    assert len(await trending.trends.history("museum", NOW, Millis(NOW + 3 * HOUR), HOUR)) == 3
    with pytest.raises(TooMuch):
        await trending.trends.history("museum", NOW, Millis(NOW + 4 * HOUR), HOUR)


async def test_without_events_there_are_no_trends(trending: Trending) -> None:
    assert await trending.trends.as_of() is None
    assert await trending.trends.numbers(NOW, Millis(NOW + HOUR)) == WindowNumbers([], 0)
    assert await trending.trends.shown([], NOW, Millis(NOW + HOUR)) == {}
    worker = trending.worker()
    assert not await worker.group.emit_due()
