"""Trends with Kafka, Faust workers and PostgreSQL give the same topic `trends` as the embedded profile."""

from __future__ import annotations

import asyncio
import time
from collections.abc import AsyncIterator, Callable, Iterable, Iterator, Sequence
from contextlib import AsyncExitStack, asynccontextmanager
from pathlib import Path

import pytest

from events.codec import Codec
from events.ids import Millis
from events.kafka.log import KafkaLog
from events.kafka.producing import KafkaPublisher
from events.kafka.records import opened, stored
from events.kafka.topics import apply
from events.keys import Keys as KeysPort
from events.log import LogUnavailable, New, Positions, Record
from events.sealing import MasterKeys, Sealer
from events.sqlite.connection import connect
from events.sqlite.keys import KEYS_DDL, SqliteKeys
from events.trends import Trend
from runtime.distributed.models import groups
from runtime.distributed.roles.hosted_group import HostedGroup
from stores.postgres.database import Database
from stores.postgres.trends import PostgresTrends
from stores.sink import StoreUnavailable
from streams.faust_overrides import Message
from streams.faust_worker import FaustWorker
from streams.trends import newest_rankings
from tests.on_kafka import PATIENCE_S, admin_of, delete_topics, own_prefix
from tests.stores.on_postgres import a_schema
from tests.streams.analytics import DAY, HOUR, NOW, Analytics, Tweeting

PARTITIONS = 4

pytestmark = [pytest.mark.engines, pytest.mark.slow]

TOPICS = {"tweets": 4, "trends": 4}
SOON = 60


class Keys(KeysPort):
    """The Keys port over SQLite."""

    def __init__(self, path: Path) -> None:
        self.connection = connect(path, durable=False)
        self.connection.execute(KEYS_DDL)
        self._sealer = Sealer(MasterKeys.generate())
        self._keys = SqliteKeys(self.connection, self._sealer)

    @property
    def sealer(self) -> Sealer:
        return self._sealer

    async def fetch(self, subjects: Iterable[str]) -> None:
        self._keys.fetch(tuple(subjects))

    async def create(self, subject: str) -> None:
        self._keys.create(subject)


class Installed:
    """Topics and a schema for one test."""

    def __init__(self, brokers: str, database: Database, directory: Path) -> None:
        self.brokers = brokers.removeprefix("kafka://")
        self.prefix = own_prefix()
        self.database = database
        self.keys = Keys(directory / "keys.db")
        self.codec = Codec(self.keys.sealer)
        self.publisher = KafkaPublisher(self.brokers, TOPICS, prefix=self.prefix, ack_s=PATIENCE_S)
        self.log = KafkaLog(self.brokers, TOPICS, self.codec, self.keys, self.publisher, prefix=self.prefix)

    async def append(self, tweeting: Tweeting) -> None:
        """Append the new events."""
        records = tweeting.untold()
        for record in records:
            await self.keys.create(record.key)
        await self.log.append([New(record.event, record.about) for record in records if record.event is not None])

    async def said(self) -> dict[str, tuple[Trend, ...]]:
        """Return the rankings in the topic."""
        return newest_rankings(await self.log.read(Positions(), 10_000, ("trends",)))

    def _worker(self, hosted: HostedGroup) -> FaustWorker:
        return FaustWorker(
            hosted,
            self._decode,
            brokers=self.brokers,
            prefix=self.prefix,
            unavailable=(LogUnavailable, StoreUnavailable),
            batch=20,
            session_s=1.5,
            idle=hosted.idle,
        )

    @asynccontextmanager
    async def working(self) -> AsyncIterator[FaustWorker]:
        """Run a worker, and stop it after the block."""
        hosted = HostedGroup(groups.trends(self.database, self.publisher, self.codec))
        worker = self._worker(hosted)
        task = asyncio.create_task(worker.run())
        try:
            yield worker
        finally:
            worker.stop()
            await task
            await hosted.close()

    async def _decode(self, messages: Sequence[Message]) -> list[Record]:
        found = [
            stored(
                m.topic.removeprefix(self.prefix),
                m.partition,
                m.offset,
                m.key,
                m.value,
                list(dict(m.headers).items()),
                PARTITIONS,
            )
            for m in messages
        ]
        return await opened(found, self.codec, self.keys)

    async def close(self) -> None:
        await self.publisher.close()
        await self.log.close()
        self.keys.connection.close()
        await delete_topics(self.brokers, [self.prefix + topic for topic in TOPICS])


@pytest.fixture
def database(postgres: str) -> Iterator[Database]:
    with a_schema(postgres) as made:
        yield made


@pytest.fixture
async def installed(kafka: str, database: Database, tmp_path: Path) -> AsyncIterator[Installed]:
    made = Installed(kafka, database, tmp_path)
    await apply(admin_of(made.brokers), TOPICS, partitions=PARTITIONS, prefix=made.prefix)
    yield made
    await made.close()


async def until(condition: Callable[[], object]) -> None:
    deadline = time.monotonic() + SOON
    while not condition():
        assert time.monotonic() < deadline
        await asyncio.sleep(0.05)


async def until_it_says(installed: Installed, expected: dict[str, tuple[Trend, ...]]) -> None:
    deadline = time.monotonic() + SOON
    while (said := await installed.said()) != expected:
        assert time.monotonic() < deadline, said
        await asyncio.sleep(0.1)


async def test_windows_are_ranked_as_the_embedded_profile_ranks_them_and_again_after_a_late_event(
    installed: Installed,
) -> None:
    analytics = Analytics()
    tweeting = Tweeting()
    for number in range(30):
        tweeting.post(f"user{number}", f"#museum #t{number % 7}", at=NOW - number % 3 * DAY + number)
    tweeting.now = Millis(NOW + HOUR)
    tweeting.post("ada", "nothing in this")
    async with AsyncExitStack() as stack:
        workers = [await stack.enter_async_context(installed.working()) for _ in range(2)]
        await until(lambda: all(len(worker.assigned) == 2 for worker in workers))
        await installed.append(tweeting)
        await analytics.apply(tweeting.records)
        await analytics.emit_due()
        first = newest_rankings(analytics.derived)
        assert len(first) > 5
        await until_it_says(installed, first)

        for author in ("eve", "zoe", "kim"):
            tweeting.post(author, "#late", at=NOW + 1)
        late = tweeting.records[-3:]
        await installed.append(tweeting)
        await analytics.apply(late)
        await analytics.emit_due()
        revised = newest_rankings(analytics.derived)
        assert revised["1h/2026-11-20T13:00:00.000Z"] != first["1h/2026-11-20T13:00:00.000Z"]
        await until_it_says(installed, revised)

        pool = installed.database.pool(1)
        await pool.open()
        window = Millis(NOW), Millis(NOW + HOUR)
        assert await PostgresTrends(pool).numbers(*window) == await analytics.trends.numbers(*window)
        await pool.close()
    analytics.close()


async def test_a_worker_that_takes_over_ranks_the_remaining_windows(installed: Installed) -> None:
    """The first worker stops before anything is ranked: it is never idle."""
    tweeting = Tweeting()
    tweeting.post("ada", "#museum")
    tweeting.now = Millis(NOW + HOUR)
    tweeting.post("bob", "later")
    await installed.append(tweeting)
    group = groups.trends(installed.database, installed.publisher, installed.codec)
    records = await installed.log.read(Positions(), 100, ("tweets",))
    await group.apply(records, await installed.log.ends())
    await group.sink.close()
    assert await installed.said() == {}
    museum = Trend(tag="museum", count=1, authors=1, expected=1.0, score=0.0)
    async with installed.working():
        await until_it_says(installed, {"1h/2026-11-20T13:00:00.000Z": (museum,)})
