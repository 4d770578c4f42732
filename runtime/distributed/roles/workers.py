"""The roles `minitwitter work projectors` and `work streams`: groups of processors on Faust."""

from __future__ import annotations

import asyncio
import time
from collections.abc import AsyncIterator, Callable, Collection, Mapping, Sequence
from contextlib import AbstractAsyncContextManager, AsyncExitStack, asynccontextmanager
from functools import partial
from typing import Any

from starlette.types import ASGIApp

from events.kafka import topics
from events.kafka.producing import KafkaPublisher
from events.kafka.records import opened, stored
from events.log import LogUnavailable, Positions, Record, StoredRecord, TopicPartition
from runtime import metrics
from runtime.dead_letter_policy import TooManyDeadLetters
from runtime.distributed.consistency.log_identity import LogIdentityWatch, check_fit
from runtime.distributed.engines import Engines
from runtime.distributed.event_versions import ReaderRegistration
from runtime.distributed.kafka_clients import publisher
from runtime.distributed.models import groups
from runtime.distributed.models.caches import outdated
from runtime.distributed.rebuild.paused_batches import PausableGroup, pause_name
from runtime.distributed.roles.group_metrics import LOOK_S, GroupMetrics, keep_looking
from runtime.distributed.roles.health_app import health_app
from runtime.distributed.roles.hosted_fan_out import fan_out_group
from runtime.distributed.roles.hosted_group import HostedGroup, SetAside, WorkerGroup
from runtime.distributed.roles.process import UNAVAILABLE
from runtime.distributed.roles.readiness import worker_parts
from runtime.distributed.roles.supervisor import Supervisor, all_ended
from runtime.distributed.settings import DistributedSettings
from runtime.lag import Ends
from runtime.processor_group import Group
from runtime.readiness import Part
from stores.postgres.pauses import BatchLock
from stores.redis.advances import Announcer, channel_of
from stores.redis.counts import RedisCounts
from streams.faust_overrides import Message
from streams.faust_worker import EVERY_S, FaustWorker

FINAL = (TooManyDeadLetters,)
"""Errors of a group that no restart repairs."""


MakeGroups = Callable[[Engines, KafkaPublisher], list[WorkerGroup]]
"""Creates the groups that a role hosts."""


class WorkersRole:
    """Hosts groups of processors, a worker each."""

    def __init__(
        self,
        name: str,
        engines: Engines,
        registration: ReaderRegistration,
        announcer: Announcer,
        hosted: Sequence[WorkerGroup],
        pauses: Mapping[str, PausableGroup],
    ) -> None:
        self._name = name
        self._settings = engines.settings
        self.engines = engines
        self._registration = registration
        self._announcer = announcer
        self.hosted = hosted
        self._pauses = pauses
        self._identity = LogIdentityWatch(engines)
        self._partitions = topics.partitions_of(partitions=engines.settings.topic_partitions)
        self._ends = Ends(time.monotonic, apart_s=LOOK_S / 2)
        self._kafka_unavailable = ""
        for group in hosted:
            group.measure()
        self._supervisors = [self._supervisor(group) for group in hosted]

    @classmethod
    @asynccontextmanager
    async def open(cls, name: str, settings: DistributedSettings, make: MakeGroups) -> AsyncIterator[WorkersRole]:
        """Connect to the engines until closed. Raises one of UNAVAILABLE, NotSetUp, DoesNotFit, NewerLog."""
        async with AsyncExitStack() as stack:
            engines = await stack.enter_async_context(Engines.open(settings))
            await check_fit(engines)
            registration = await stack.enter_async_context(ReaderRegistration.open(settings.postgres, name))
            published = await stack.enter_async_context(publisher(settings))
            breaker = published.breaker
            metrics.BREAKER.set_function(lambda: float(breaker.is_open))
            announcer = Announcer(engines.redis, channel_of(settings.topic_prefix))
            stack.push_async_callback(announcer.close)
            await engines.read_discards()
            hosted = make(engines, published)
            pauses = {group.name: _pausable(settings, group) for group in hosted}
            for group in hosted:
                stack.push_async_callback(group.close)
                stack.push_async_callback(pauses[group.name].close)
            yield cls(name, engines, registration, announcer, hosted, pauses)

    def _supervisor(self, hosted: WorkerGroup) -> Supervisor:
        return Supervisor(hosted.name, partial(self._worker, hosted), FINAL, degraded=lambda: hosted.degraded)

    def _worker(self, hosted: WorkerGroup) -> FaustWorker:
        group_metrics = GroupMetrics(hosted.name, self._ends)

        def advanced(start: Positions, end: Positions, records: Sequence[Record]) -> None:
            group_metrics.applied(records)
            self._announcer.announce(hosted.name, start, end, outdated(hosted.name, records))

        pausable = self._pauses[hosted.name]
        between = pausable.between

        async def mend(assigned: Collection[TopicPartition]) -> None:
            mended = await between(partial(hosted.mend, assigned))
            if mended:  # the positions passed these records before, but caches have the old rows
                self._announcer.announce(hosted.name, Positions(), Positions(), outdated(hosted.name, mended))

        worker = FaustWorker(
            pausable,
            partial(self._decode, group_metrics),
            brokers=self._settings.brokers,
            prefix=self._settings.topic_prefix,
            unavailable=UNAVAILABLE,
            batch=self._settings.worker_batch,
            session_s=self._settings.worker_session_s,
            every_s=groups.UNHURRIED_S if hosted.name in groups.UNHURRIED else EVERY_S,
            on_advance=advanced,
            idle=partial(between, hosted.idle),
            mend=mend,
        )
        group_metrics.follow(worker)
        return worker

    async def _decode(self, group_metrics: GroupMetrics, messages: Sequence[Message]) -> list[Record]:
        with group_metrics.stage("decode"):
            return await self._decoded(messages)

    async def _decoded(self, messages: Sequence[Message]) -> list[Record]:
        found = [self._stored(message) for message in messages]
        return await opened(found, self.engines.codec, self.engines.keys)

    def _stored(self, message: Message) -> StoredRecord:
        topic = message.topic.removeprefix(self._settings.topic_prefix)
        headers = _headers(message.headers)
        return stored(
            topic, message.partition, message.offset, message.key, message.value, headers, self._partitions[topic]
        )

    def application(self) -> ASGIApp:
        """Health and metrics."""
        return health_app(self._settings, self.parts, f"work {self._name}")

    def parts(self) -> Sequence[Part]:
        """Each group, and why it does not work."""
        groups = (supervisor.part() for supervisor in self._supervisors)
        return [*worker_parts(groups, kafka=self._kafka_unavailable), *self._identity.parts()]

    async def run(self) -> None:
        """Work until cancelled; a group that fails is restarted, and the others continue.

        Raises TooManyDeadLetters when all groups have stopped because of that, and NewerLog.
        """
        tasks = [asyncio.create_task(supervisor.run()) for supervisor in self._supervisors]
        renewing = asyncio.create_task(self._registration.renew())
        working = asyncio.ensure_future(asyncio.wait(tasks))
        looking = asyncio.create_task(keep_looking(self._ends, self._log_ends))
        checking = asyncio.create_task(self._identity.run())
        try:
            await asyncio.wait((working, renewing), return_when=asyncio.FIRST_COMPLETED)
            if renewing.done():
                renewing.result()
        finally:
            renewing.cancel()
            looking.cancel()
            checking.cancel()
            for supervisor in self._supervisors:
                supervisor.stop()
            errors = await all_ended(tasks)
        if errors:
            raise errors[0]

    async def _log_ends(self) -> Positions:
        try:
            ends = await self.engines.log.ends()
        except LogUnavailable as error:
            self._kafka_unavailable = str(error)
            raise
        self._kafka_unavailable = ""
        return ends


def _pausable(settings: DistributedSettings, hosted: WorkerGroup) -> PausableGroup:
    return PausableGroup(hosted, BatchLock(settings.postgres, pause_name(settings.topic_prefix, hosted.name)))


def _headers(headers: Any) -> list[tuple[str, bytes | None]]:
    """Return the headers as pairs: Faust passes pairs or a mapping, depending on its driver."""
    return list(headers.items()) if isinstance(headers, dict) else list(headers or ())


def projectors(settings: DistributedSettings) -> AbstractAsyncContextManager[WorkersRole]:
    """Return the role of the projectors: the read models of source topics, in Cassandra, Redis and PostgreSQL."""

    def make(engines: Engines, _: KafkaPublisher) -> list[WorkerGroup]:
        session, keyspace, redis = engines.cassandra, engines.generations.address.keyspace, engines.redis
        keys, prefix, partitions = engines.generations.keys, settings.topic_prefix, settings.topic_partitions
        return [
            hosted_group(engines, groups.timelines(session, keyspace)),
            hosted_group(engines, groups.counts(redis, prefix, partitions, engines.log.ends, keys=keys)),
            hosted_group(engines, groups.search(engines.generations.database)),
            hosted_group(engines, fan_out_group(session, keyspace, RedisCounts(redis, keys), partitions)),
        ]

    return WorkersRole.open("projectors", settings, make)


def streams(settings: DistributedSettings) -> AbstractAsyncContextManager[WorkersRole]:
    """Return the role of the streams: derived topics, and the read models of them."""

    def make(engines: Engines, published: KafkaPublisher) -> list[WorkerGroup]:
        session, keyspace = engines.cassandra, engines.generations.address.keyspace
        return [
            hosted_group(engines, groups.streams(session, keyspace, published, engines.codec)),
            hosted_group(engines, groups.trends(engines.generations.database, published, engines.codec)),
        ]

    return WorkersRole.open("streams", settings, make)


def hosted_group(engines: Engines, group: Group) -> HostedGroup:
    """Return a live group, which sets aside records that it cannot apply."""
    return HostedGroup(group, SetAside(engines.letters_of(group.name), engines.discards, engines.log))
