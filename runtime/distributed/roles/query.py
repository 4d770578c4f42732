"""The query API as a process: `minitwitter serve query`. It reads from every store, and reports who was active."""

from __future__ import annotations

import asyncio
import os
from collections.abc import Sequence
from functools import partial
from math import inf

from starlette.types import ASGIApp

from command_api.postgres.tokens import OutboxTokens
from events.ids import Clock, HybridClock, Randomness, wall_clock
from events.kafka import topics
from events.kafka.log import KafkaLog, KafkaLogReader
from events.kafka.looking import KafkaMembers
from events.log import LogUnavailable
from projectors.trends import Trends
from query_api.realtime import DERIVED_TOPICS, SOURCE_TOPICS
from query_api.usage import UsageReports
from rest.authentication import Viewer
from rest.jwks import jwks
from rest.problems import explains
from rest.rate_limits import LocalRateLimits
from rest.shared_rate_limits import SharedRateLimits
from rest.signing import ConsistencyTokens
from runtime import metrics
from runtime.app import build_app
from runtime.distributed.authentication import Authenticating
from runtime.distributed.command_store import publisher
from runtime.distributed.consistency.log_identity import Fitting
from runtime.distributed.consistency.position_sources import groups_of, sources
from runtime.distributed.consistency.read_positions import Applied
from runtime.distributed.event_versions import Reader
from runtime.distributed.models.caches import Memory
from runtime.distributed.models.catalogue import VERSIONS
from runtime.distributed.models.readers import readers
from runtime.distributed.roles.command import LIMITS_TIMEOUT_S
from runtime.distributed.roles.process import brokers
from runtime.distributed.roles.readiness import query_parts
from runtime.distributed.roles.workers import Stores
from runtime.media import MediaSide
from runtime.query_side import QueryService
from runtime.readiness import Part, Parts
from runtime.routes import QUERY_ROUTERS
from runtime.settings import Settings
from runtime.telemetry import logger
from stores.cassandra.home_timelines import CassandraHomeTimelines
from stores.composed.home_feed import HybridHomeFeed
from stores.dead_letters import Counts
from stores.groups import COUNTS
from stores.postgres.dead_letters import counted
from stores.postgres.trends import PostgresTrends
from stores.redis.advances import Listening, channel_of
from stores.redis.connection import connect
from stores.redis.rankings import RedisRankings
from stores.redis.rate_limits import RedisTokenBuckets
from stores.sink import StoreUnavailable

explains("unavailable", StoreUnavailable, headers=(("retry-after", "1"),))

REPORT_S = 10.0
"""Seconds between reports of who was active."""
TELL_S = 1.0
"""What is derived without a batch, as the trends of a window that ended, reaches open streams in so many seconds."""


class Querying:
    """The role of the query API: every GET, the open streams among them."""

    name = "query"

    def __init__(self, settings: Settings, clock: Clock = wall_clock, randomness: Randomness = os.urandom) -> None:
        self._settings = settings
        self._clock = clock
        self._randomness = randomness
        self._stores = Stores(settings)
        self._reader = Reader(self._stores.postgres_url, self.name)
        self._reading: Reading | None = None
        self._fitting = Fitting(self._stores)

    async def start(self) -> None:
        """Open the stores. Raises LogUnavailable, StoreUnavailable, WrongTopics, NotMigrated."""
        await self._stores.open()
        await self._reader.start()
        if self._reading is None:
            self._reading = Reading(self._settings, self._stores, self._clock, self._randomness)
        await self._reading.start()

    @property
    def reading(self) -> Reading:
        """What it reads with, once it has started."""
        assert self._reading is not None
        return self._reading

    def application(self) -> ASGIApp:
        """The reading routes, the keys that tokens are verified with, health and metrics."""
        return self.reading.application(lambda: list(self.parts()))

    def parts(self) -> Sequence[Part]:
        """What it reads from. Only Cassandra keeps it from serving: without the others most reads go on."""
        if self._reading is None:
            return []
        applied = self._reading.applied
        parts = query_parts(
            map(applied.group, applied.positions), sessions=self._reading.who.detail, kafka=applied.log_detail
        )
        return [*parts, *self._fitting.parts(reads=True)]

    async def run(self) -> None:
        """Follow the read models, and tell open streams of what happens."""
        await asyncio.gather(self.reading.run(), self._reader.keep_telling(), self._fitting.run())

    async def stop(self) -> None:
        """End the open streams, report who was active, and close."""
        await self._reader.stop()
        if self._reading is not None:
            await self._reading.close()
        await self._stores.close()


async def _letters(stores: Stores) -> dict[str, Counts]:
    assert stores.letters is not None
    return stores.places.letters(await counted(stores.letters))


class Reading:
    """Everything that answers a GET, on stores that are open."""

    def __init__(self, settings: Settings, stores: Stores, clock: Clock, randomness: Randomness) -> None:
        assert settings.kafka_url is not None
        assert settings.redis_url is not None
        assert stores.pool is not None
        assert stores.redis is not None
        assert stores.cassandra is not None
        self._settings = settings
        self._clock = clock
        self._randomness = randomness
        self.who = Authenticating(settings, stores.pool, stores.sealer, clock, randomness)
        servers, prefix, keyspace = brokers(settings.kafka_url), settings.topic_prefix, stores.address.keyspace
        partitions = topics.partitions_of(partitions=settings.topic_partitions)

        def reader(of: frozenset[str]) -> KafkaLogReader:
            some = {topic: number for topic, number in partitions.items() if topic in of}
            return KafkaLogReader(servers, some, stores.codec, stores.keys, prefix=prefix)

        # Each keeps its own place: reading two parts of the log in turns would fetch everything anew.
        self._sources, self._derived = reader(SOURCE_TOPICS), reader(DERIVED_TOPICS)
        self._publisher = publisher(settings)
        self._log = KafkaLog(servers, partitions, stores.codec, stores.keys, self._publisher, prefix=prefix)
        self._usage = UsageReports(self._log, clock, HybridClock(clock, randomness, drift_ms=inf).issue)
        self._limits = connect(settings.redis_url.get_secret_value(), timeout_s=LIMITS_TIMEOUT_S)
        database = stores.places.database
        self._search = database.pool()
        self.applied = Applied(
            sources(stores.cassandra, keyspace, stores.redis, stores.places.keys, database, settings.topic_partitions),
            groups_of=groups_of,
            locate=OutboxTokens(stores.pool, self._log.ends).positions,
            ends=self._log.ends,
            hears=lambda: self._listening.hears,
            letters=partial(_letters, stores),
            workers=KafkaMembers(servers, VERSIONS, prefix=prefix).count,
        )
        self._listening = Listening(stores.redis, channel_of(prefix), self.applied.heard)
        memory = Memory(CassandraHomeTimelines(stores.cassandra, keyspace, clock))
        self.applied.on_outdated = memory.forget
        metrics.CACHES.update(memory.lookups())
        metrics.LAGS.update({group: partial(self.applied.lag, group) for group in self.applied.positions})
        metrics.BREAKER.set_function(lambda: float(self._publisher.breaker.is_open))
        self.readers = readers(
            stores.cassandra,
            keyspace,
            stores.redis,
            stores.places.keys,
            self._search,
            HybridHomeFeed(memory.timelines, clock),
            PostgresTrends(self._search),
            memory=memory,
            counts_away=lambda: self.applied.away(COUNTS),
        )
        self._randomness = randomness
        self._media: MediaSide | None = None
        self._service: QueryService | None = None

    async def start(self) -> None:
        """Find out who may ask, and how far everything is. Raises LogUnavailable, and can be called again."""
        await self.who.start()
        await self._search.open()
        await self.applied.look_at_the_log()
        await self.applied.look()

    def application(self, parts: Parts) -> ASGIApp:
        """The application."""
        settings, clock, who = self._settings, self._clock, self.who
        tokens = ConsistencyTokens(who.token_key)
        self._media = MediaSide(settings, secret=who.token_key, clock=clock, randomness=self._randomness)
        self._service = QueryService(
            settings,
            readers=lambda: self.readers,
            logs=(self._sources, self._derived),
            applied=self.applied.everywhere,
            token_key=who.token_key,
            tickets=who.tickets(),
            revocations=who.revocations,
            clock=clock,
            link=self._media.objects.link,
            kept_answers=RedisRankings(self._limits, f"{settings.topic_prefix}{Trends.model}@{Trends.version}"),
        )
        self.applied.on_advance = self._service.advanced
        own = LocalRateLimits(clock)
        limits = SharedRateLimits(RedisTokenBuckets(self._limits, clock, who.token_key), own, clock)
        limits.on_refused = lambda name: metrics.RATE_LIMITED.labels(name).inc()
        authenticator = who.authenticator()

        def authenticate(authorization: bytes) -> Viewer:
            viewer = authenticator.authenticate(authorization)
            self._usage.active(viewer.account)
            return viewer

        return build_app(
            settings,
            *QUERY_ROUTERS,
            jwks(who.signing_keys.jwks),
            *self._media.file_routers,
            roles=(metrics.QUERY,),
            parts=parts,
            clock=clock,
            randomness=self._randomness,
            authenticate=authenticate,
            shared_limits=limits,
            own_limits=own,
            applied=self.applied,
            tokens=tokens,
            query=self._service.side,
        )

    async def run(self) -> None:
        """Work until cancelled."""
        await asyncio.gather(
            self.who.keep_looking(),
            self.applied.keep_looking(),
            self.applied.keep_counting_workers(),
            self._listening.run(),
            self._keep_reporting(),
            self._keep_telling(),
        )

    async def _keep_reporting(self) -> None:
        while True:
            await asyncio.sleep(REPORT_S)
            await self._report()

    async def _report(self) -> None:
        try:
            while await self._usage.flush():
                pass
        except LogUnavailable as error:  # they are kept for the next time
            logger("minitwitter.querying").warning("usage is not reported", detail=str(error))

    async def _keep_telling(self) -> None:
        while True:
            await asyncio.sleep(TELL_S)
            if self._service is not None:
                self._service.advanced()

    async def close(self) -> None:
        """End the streams, report what is to be reported, and close."""
        if self._service is not None:
            self._service.close()
            await self._report()
        if self._media is not None:
            self._media.close()
        for reader in (self._sources, self._derived, self._log):
            await reader.close()
        await self._publisher.close()
        await self.who.close()
        await self.applied.close()
        await self._search.close()
        await self._limits.aclose()
