"""The role of the query API: `minitwitter serve query`. It reads from every store, and reports which accounts were
active.
"""

from __future__ import annotations

import asyncio
import os
from collections.abc import AsyncIterator, Sequence
from contextlib import AsyncExitStack, aclosing, asynccontextmanager
from dataclasses import dataclass
from functools import partial
from math import inf

from starlette.types import ASGIApp

from command_api.postgres.tokens import OutboxTokens
from events.ids import Clock, HybridClock, Randomness, wall_clock
from events.kafka.log import KafkaLog
from events.kafka.looking import KafkaMembers
from events.log import LogUnavailable
from events.postgres.connections import Pool
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
from runtime.distributed.authentication import Authentication
from runtime.distributed.consistency.log_identity import LogIdentityWatch
from runtime.distributed.consistency.position_sources import groups_of, sources
from runtime.distributed.consistency.read_positions import ReadPositions
from runtime.distributed.engines import Engines
from runtime.distributed.event_versions import ReaderRegistration
from runtime.distributed.kafka_clients import event_log, log_reader, publisher
from runtime.distributed.models.caches import Memory
from runtime.distributed.models.catalogue import VERSIONS
from runtime.distributed.models.readers import readers
from runtime.distributed.roles.command import LIMITS_TIMEOUT_S
from runtime.distributed.roles.readiness import query_parts
from runtime.distributed.settings import DistributedSettings
from runtime.media import MediaSide
from runtime.query_side import QuerySide
from runtime.readiness import Part
from runtime.routes import QUERY_ROUTERS
from runtime.telemetry import logger
from stores.cassandra.home_timelines import CassandraHomeTimelines
from stores.composed.home_feed import HybridHomeFeed
from stores.dead_letters import Counts
from stores.groups import COUNTS
from stores.postgres.dead_letters import counted
from stores.postgres.trends import PostgresTrends
from stores.readers import Readers
from stores.redis.advances import Listener, channel_of
from stores.redis.connection import Client, connect
from stores.redis.rankings import RedisRankings
from stores.redis.rate_limits import RedisTokenBuckets
from stores.sink import StoreUnavailable

explains("unavailable", StoreUnavailable, headers=(("retry-after", "1"),))

REPORT_S = 10.0
"""Seconds between reports of active accounts."""
TELL_S = 1.0
"""Seconds until open streams see events that were derived without a batch, such as the trends of an ended window."""


@dataclass(frozen=True)
class QueryRole:
    """The query API: every GET, and the open streams.

    `positions` has the positions of each group, `listener` receives the workers' announcements, `limits` is the Redis
    of the rate limits, `usage` collects the active accounts.
    """

    settings: DistributedSettings
    registration: ReaderRegistration
    authentication: Authentication
    positions: ReadPositions
    listener: Listener
    side: QuerySide
    media: MediaSide
    usage: UsageReports
    limits: Client
    identity: LogIdentityWatch
    clock: Clock
    randomness: Randomness

    @classmethod
    @asynccontextmanager
    async def open(
        cls, settings: DistributedSettings, clock: Clock = wall_clock, randomness: Randomness = os.urandom
    ) -> AsyncIterator[QueryRole]:
        """Connect to the stores, and read each group's positions; at the end report the active accounts.

        Raises LogUnavailable, StoreUnavailable, WrongTopics, NotMigrated, NewerLog.
        """
        async with AsyncExitStack() as stack:
            enter = stack.enter_async_context
            engines = await enter(Engines.open(settings, randomness))
            registration = await enter(ReaderRegistration.open(settings.postgres, "query"))
            authentication = await enter(
                Authentication.open(settings, engines.decisions, engines.keys, clock, randomness)
            )
            limits = await enter(aclosing(connect(settings.redis, timeout_s=LIMITS_TIMEOUT_S)))
            search = await enter(engines.generations.database.pool())
            published = await enter(publisher(settings))
            metrics.BREAKER.set_function(lambda: float(published.breaker.is_open))
            log = await enter(event_log(settings, engines.codec, engines.keys, published))
            listener = Listener(engines.redis, channel_of(settings.topic_prefix))
            positions = _positions(engines, log, listener)
            stack.push_async_callback(positions.close)
            cache = Memory(CassandraHomeTimelines(engines.cassandra, engines.generations.address.keyspace, clock))
            metrics.CACHES.update(cache.lookups())
            positions.on_outdated = cache.forget
            read_ports = _readers(engines, search, cache, positions, clock)
            await positions.poll_log()
            await positions.poll_stores()
            media = MediaSide(settings, secret=authentication.token_key, clock=clock, randomness=randomness)
            stack.callback(media.close)
            side = QuerySide(
                settings,
                readers=lambda: read_ports,
                # One reader each: a reader that alternates between two parts of the log fetches everything again.
                logs=[
                    await enter(log_reader(settings, engines.codec, engines.keys, part))
                    for part in (SOURCE_TOPICS, DERIVED_TOPICS)
                ],
                applied=positions.applied_by_all,
                token_key=authentication.token_key,
                tickets=authentication.tickets(),
                revocations=authentication.revocations,
                clock=clock,
                link=media.objects.link,
                kept_answers=RedisRankings(limits, f"{settings.topic_prefix}{Trends.model}@{Trends.version}"),
            )
            positions.on_advance = side.advanced
            usage = UsageReports(log, clock, HybridClock(clock, randomness, drift_ms=inf).issue)
            stack.push_async_callback(_report, usage)
            stack.callback(side.close)
            yield cls(
                settings=settings,
                registration=registration,
                authentication=authentication,
                positions=positions,
                listener=listener,
                side=side,
                media=media,
                usage=usage,
                limits=limits,
                identity=LogIdentityWatch(engines),
                clock=clock,
                randomness=randomness,
            )

    def application(self) -> ASGIApp:
        """The reading routes, the public keys of tokens, health and metrics."""
        settings, clock, authentication = self.settings, self.clock, self.authentication
        own = LocalRateLimits(clock)
        limits = SharedRateLimits(RedisTokenBuckets(self.limits, clock, authentication.token_key), own, clock)
        limits.on_refused = lambda name: metrics.RATE_LIMITED.labels(name).inc()
        authenticator = authentication.authenticator()

        def authenticate(authorization: bytes) -> Viewer:
            viewer = authenticator.authenticate(authorization)
            self.usage.active(viewer.account)
            return viewer

        return build_app(
            settings,
            *QUERY_ROUTERS,
            jwks(authentication.signing_keys.jwks),
            *self.media.file_routers,
            roles=(metrics.QUERY,),
            parts=lambda: list(self.parts()),
            clock=clock,
            randomness=self.randomness,
            authenticate=authenticate,
            shared_limits=limits,
            own_limits=own,
            applied=self.positions,
            tokens=ConsistencyTokens(authentication.token_key),
            query=self.side,
        )

    def parts(self) -> Sequence[Part]:
        """The stores. Only Cassandra is needed to serve: without the others most reads continue."""
        positions = self.positions
        parts = query_parts(
            map(positions.group, positions.groups), sessions=self.authentication.detail, kafka=positions.log_detail
        )
        return [*parts, *self.identity.parts(reads=True)]

    async def run(self) -> None:
        """Follow the read models, and notify open streams, until cancelled."""
        await asyncio.gather(
            self.authentication.poll(),
            self.positions.poll(),
            self.positions.poll_workers(),
            self.listener.run(self.positions.announced),
            self.registration.renew(),
            self.identity.run(),
            self._report_usage(),
            self._wake_streams(),
        )

    async def _report_usage(self) -> None:
        while True:
            await asyncio.sleep(REPORT_S)
            await _report(self.usage)

    async def _wake_streams(self) -> None:
        while True:
            await asyncio.sleep(TELL_S)
            self.side.advanced()


async def _report(usage: UsageReports) -> None:
    try:
        while await usage.flush():
            pass
    except LogUnavailable as error:  # they stay for the next report
        logger("minitwitter.query").warning("usage is not reported", detail=str(error))


def _positions(engines: Engines, log: KafkaLog, listener: Listener) -> ReadPositions:
    settings, generations = engines.settings, engines.generations

    async def letters() -> dict[str, Counts]:
        return generations.letters(await counted(engines.letters))

    positions = ReadPositions(
        sources(engines.cassandra, engines.redis, generations, settings.topic_partitions),
        groups_of=groups_of,
        locate=OutboxTokens(engines.decisions, log.ends).positions,
        ends=log.ends,
        hears=lambda: listener.hears,
        letters=letters,
        workers=KafkaMembers(settings.brokers, VERSIONS, prefix=settings.topic_prefix).count,
    )
    metrics.LAGS.update({group: partial(positions.lag, group) for group in positions.groups})
    return positions


def _readers(engines: Engines, search: Pool, cache: Memory, positions: ReadPositions, clock: Clock) -> Readers:
    return readers(
        engines.cassandra,
        engines.generations.address.keyspace,
        engines.redis,
        engines.generations.keys,
        search,
        HybridHomeFeed(cache.timelines, clock),
        PostgresTrends(search),
        memory=cache,
        counts_unavailable=lambda: positions.unavailable(COUNTS),
    )
