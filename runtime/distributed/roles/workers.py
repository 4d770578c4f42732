"""`minitwitter work projectors` and `work streams`: groups of processors on Faust, one member each of their groups."""

from __future__ import annotations

import asyncio
import time
from collections.abc import Callable, Collection, Sequence
from functools import partial
from typing import Any

from starlette.types import ASGIApp

from events.codec import Codec
from events.kafka import topics
from events.kafka.log import KafkaLogReader
from events.kafka.producing import KafkaPublisher
from events.kafka.records import Stored, opened, stored
from events.log import LogUnavailable, Positions, Record, TopicPartition
from events.postgres.connections import Pool, open_pool
from events.postgres.keys import PostgresKeys
from events.sealing import Sealer
from runtime import metrics
from runtime.dead_letter_policy import TooManyDeadLetters
from runtime.discards import Discards
from runtime.distributed.command_store import (
    check_migrated,
    check_topics,
    have_keys,
    log_reader,
    master_keys,
    publisher,
)
from runtime.distributed.consistency.log_identity import Fitting, check_fit
from runtime.distributed.event_versions import Reader
from runtime.distributed.migrations import check_read_models
from runtime.distributed.models import groups
from runtime.distributed.models.caches import outdated
from runtime.distributed.models.generations import Places
from runtime.distributed.rebuild.paused_batches import Pausing, pause_name
from runtime.distributed.roles.group_metrics import LOOK_S, Watched, keep_looking
from runtime.distributed.roles.health_app import bare_application
from runtime.distributed.roles.hosted_fan_out import fanning_out
from runtime.distributed.roles.hosted_group import Aside, HostedGroup, Hosts
from runtime.distributed.roles.process import AWAY, brokers, required
from runtime.distributed.roles.readiness import worker_parts
from runtime.distributed.roles.supervisor import Supervisor, all_ended
from runtime.lag import Ends
from runtime.processor_group import Group
from runtime.readiness import Part
from runtime.settings import Settings
from stores.cassandra.address import Address
from stores.cassandra.session import CassandraSession
from stores.postgres.dead_letters import PostgresDeadLetters, pool_of
from stores.postgres.pauses import Landing
from stores.postgres.pointers import Pointers
from stores.redis.advances import Announcing, channel_of
from stores.redis.connection import Client, connect
from stores.redis.counts import RedisCounts
from streams.faust_overrides import Message
from streams.faust_worker import EVERY_S, FaustWorker

FINAL = (TooManyDeadLetters,)
"""What no restart of a group mends."""


class Stores:
    """The engines of the read side, opened when they are first needed."""

    def __init__(self, settings: Settings) -> None:
        required(settings, "kafka_url", "postgres_url", "cassandra_url", "redis_url")
        assert settings.postgres_url is not None
        assert settings.cassandra_url is not None
        self.settings = settings
        self.postgres_url = settings.postgres_url.get_secret_value()
        self.places = Places.first(settings)
        self.sealer = Sealer(master_keys(settings))
        self.codec = Codec(self.sealer)
        self.pool: Pool | None = None
        self.cassandra: CassandraSession | None = None
        self.redis: Client | None = None
        self.reader: KafkaLogReader | None = None
        self.letters: Pool | None = None
        self.discards = Discards()

    async def open(self) -> None:
        """Open them. Raises one of AWAY, and can be called again; NotSetUp."""
        settings = self.settings
        assert settings.redis_url is not None
        if self.pool is None:
            self.pool = open_pool(self.postgres_url, most=4)
            await self.pool.open()
        self.keys = PostgresKeys(self.pool, self.sealer)
        await check_migrated(self.pool)
        await check_topics(settings)
        await have_keys(settings, self.pool, self.keys)
        self.places = self.places.pointed(await Pointers(self.postgres_url).read())
        if self.letters is None:
            self.letters = pool_of(self.postgres_url)
            await self.letters.open()
        if self.cassandra is None:
            self.cassandra = await CassandraSession.connect(self.places.address)
        await check_read_models(self.postgres_url, self.places, self.cassandra)
        if self.redis is None:
            self.redis = connect(settings.redis_url.get_secret_value())
        if self.reader is None:
            self.reader = log_reader(settings, self.keys)

    async def read_discards(self) -> None:
        """Take in what operators discarded since the last time. Raises LogUnavailable."""
        assert self.reader is not None
        await self.discards.read(self.reader)

    def hosted(self, group: Group) -> HostedGroup:
        """A live group, which sets aside what it cannot apply."""
        assert self.reader is not None
        return HostedGroup(group, Aside(self.letters_of(group.name), self.discards, self.reader))

    def letters_of(self, group: str) -> PostgresDeadLetters:
        """The dead letters of a live group."""
        assert self.letters is not None
        return PostgresDeadLetters(self.letters, group, self.places.of(group))

    @property
    def address(self) -> Address:
        """Where Cassandra is, and the keyspace that is current."""
        return self.places.address

    async def close(self) -> None:
        """Close what was opened."""
        if self.reader is not None:
            await self.reader.close()
        if self.redis is not None:
            await self.redis.aclose()
        if self.cassandra is not None:
            await self.cassandra.close()
        for pool in (self.letters, self.pool):
            if pool is not None:
                await pool.close()


class Hosting:
    """A role that hosts processors, a worker each; `make` makes them of the stores."""

    def __init__(
        self, name: str, settings: Settings, make: Callable[[Stores, KafkaPublisher | None], list[Hosts]]
    ) -> None:
        self.name = name
        self._settings = settings
        self._make = make
        self.stores = Stores(settings)
        self._reader = Reader(self.stores.postgres_url, name)
        self._publisher: KafkaPublisher | None = None
        self._announcing: Announcing | None = None
        self.hosted: list[Hosts] = []
        self._supervisors: list[Supervisor] = []
        self._pausing: dict[str, Pausing] = {}
        self._fitting = Fitting(self.stores)
        self._partitions = topics.partitions_of(partitions=settings.topic_partitions)
        self._ends = Ends(time.monotonic, apart_s=LOOK_S / 2)
        self._kafka_away = ""

    async def start(self) -> None:
        """Open the stores. Raises one of AWAY, NotSetUp, DoesNotFit."""
        await self.stores.open()
        await check_fit(self.stores)
        await self._reader.start()
        if self._publisher is None:
            self._publisher = publisher(self._settings)
            breaker = self._publisher.breaker
            metrics.BREAKER.set_function(lambda: float(breaker.is_open))
        if self._announcing is None:
            assert self.stores.redis is not None
            self._announcing = Announcing(self.stores.redis, channel_of(self._settings.topic_prefix))
        await self.stores.read_discards()
        self.hosted = self._make(self.stores, self._publisher)
        for hosted in self.hosted:
            hosted.measure()
        self._supervisors = [self._supervisor(hosted) for hosted in self.hosted]

    def _supervisor(self, hosted: Hosts) -> Supervisor:
        return Supervisor(hosted.name, partial(self._worker, hosted), FINAL, degraded=lambda: hosted.degraded)

    def _worker(self, hosted: Hosts) -> FaustWorker:
        assert self._settings.kafka_url is not None
        watched = Watched(hosted.name, self._ends)

        def advanced(start: Positions, end: Positions, records: Sequence[Record]) -> None:
            watched.applied(records)
            if self._announcing is not None:
                self._announcing.announce(hosted.name, start, end, outdated(hosted.name, records))

        pausing = self._pausing.get(hosted.name)
        if pausing is None:
            landing = Landing(self.stores.postgres_url, pause_name(self._settings.topic_prefix, hosted.name))
            pausing = self._pausing[hosted.name] = Pausing(hosted, landing)
        between = pausing.between

        async def mend(assigned: Collection[TopicPartition]) -> None:
            mended = await between(partial(hosted.mend, assigned))
            if mended and self._announcing is not None:  # positions have passed them, but not what is remembered
                self._announcing.announce(hosted.name, Positions(), Positions(), outdated(hosted.name, mended))

        worker = FaustWorker(
            pausing,
            partial(self._decode, watched),
            brokers=brokers(self._settings.kafka_url),
            prefix=self._settings.topic_prefix,
            away=AWAY,
            batch=self._settings.worker_batch,
            session_s=self._settings.worker_session_s,
            every_s=groups.UNHURRIED_S if hosted.name in groups.UNHURRIED else EVERY_S,
            on_advance=advanced,
            idle=partial(between, hosted.idle),
            mend=mend,
        )
        watched.follow(worker)
        return worker

    async def _decode(self, watched: Watched, messages: Sequence[Message]) -> list[Record]:
        with watched.stage("decode"):
            return await self._decoded(messages)

    async def _decoded(self, messages: Sequence[Message]) -> list[Record]:
        found = [self._stored(message) for message in messages]
        return await opened(found, self.stores.codec, self.stores.keys)

    def _stored(self, message: Message) -> Stored:
        topic = message.topic.removeprefix(self._settings.topic_prefix)
        headers = _headers(message.headers)
        return stored(
            topic, message.partition, message.offset, message.key, message.value, headers, self._partitions[topic]
        )

    def application(self) -> ASGIApp:
        """Health and metrics."""
        return bare_application(self._settings, self.parts, f"work {self.name}")

    def parts(self) -> Sequence[Part]:
        """Each group, and what keeps it from working."""
        groups = (supervisor.part() for supervisor in self._supervisors)
        return [*worker_parts(groups, kafka=self._kafka_away), *self._fitting.parts()]

    async def run(self) -> None:
        """Work until cancelled; a group that fails is started again, and the others go on.

        Raises TooManyDeadLetters once all groups have stopped for that, and NewerLog.
        """
        tasks = [asyncio.create_task(supervisor.run()) for supervisor in self._supervisors]
        telling = asyncio.create_task(self._reader.keep_telling())
        working = asyncio.ensure_future(asyncio.wait(tasks))
        looking = asyncio.create_task(keep_looking(self._ends, self._log_ends))
        fitting = asyncio.create_task(self._fitting.run())
        try:
            await asyncio.wait((working, telling), return_when=asyncio.FIRST_COMPLETED)
            if telling.done():
                telling.result()
        finally:
            telling.cancel()
            looking.cancel()
            fitting.cancel()
            for supervisor in self._supervisors:
                supervisor.stop()
            errors = await all_ended(tasks)
        if errors:
            raise errors[0]

    async def _log_ends(self) -> Positions:
        assert self.stores.reader is not None
        try:
            ends = await self.stores.reader.ends()
        except LogUnavailable as error:
            self._kafka_away = str(error)
            raise
        self._kafka_away = ""
        return ends

    async def stop(self) -> None:
        """Close the stores."""
        await self._reader.stop()
        for hosted in self.hosted:
            await hosted.close()
        if self._publisher is not None:
            await self._publisher.close()
        if self._announcing is not None:
            await self._announcing.close()
        for pausing in self._pausing.values():
            await pausing.close()
        await self.stores.close()


def _headers(headers: Any) -> list[tuple[str, bytes | None]]:
    """Faust hands over pairs or a mapping, as its driver likes."""
    return list(headers.items()) if isinstance(headers, dict) else list(headers or ())


def projecting(settings: Settings) -> Hosting:
    """The role of the projectors: what Cassandra, Redis and PostgreSQL keep of the source topics."""

    def make(stores: Stores, _: KafkaPublisher | None) -> list[Hosts]:
        assert stores.cassandra is not None
        assert stores.redis is not None
        assert stores.reader is not None
        session, keyspace, redis = stores.cassandra, stores.address.keyspace, stores.redis
        prefix, partitions = settings.topic_prefix, settings.topic_partitions
        return [
            stores.hosted(groups.timelines(session, keyspace)),
            stores.hosted(groups.counts(redis, prefix, partitions, stores.reader.ends, keys=stores.places.keys)),
            stores.hosted(groups.search(stores.places.database)),
            stores.hosted(fanning_out(session, keyspace, RedisCounts(redis, stores.places.keys), partitions)),
        ]

    return Hosting("projectors", settings, make)


def streaming(settings: Settings) -> Hosting:
    """The role of the streams: what is derived of the source topics."""

    def make(stores: Stores, published: KafkaPublisher | None) -> list[Hosts]:
        assert stores.cassandra is not None
        assert published is not None
        return [
            stores.hosted(groups.streams(stores.cassandra, stores.address.keyspace, published, stores.codec)),
            stores.hosted(groups.trends(stores.places.database, published, stores.codec)),
        ]

    return Hosting("streams", settings, make)
