"""The status of an installation of the distributed profile. It asks every engine directly, not the processes."""

from __future__ import annotations

import asyncio
import contextlib
import time
from collections.abc import Awaitable, Callable, Collection, Iterable, Mapping
from functools import partial
from typing import TypeVar

import psycopg
import psycopg.errors
from cassandra import InvalidRequest

from command_api.postgres.outbox import depth
from events.ids import Clock, wall_clock
from events.kafka import topics
from events.kafka.looking import KafkaLook, KafkaMembers
from events.log import LogUnavailable, NotSetUp, Positions, TopicPartition
from events.postgres.connections import open_pool, run, select
from runtime.distributed.consistency.position_sources import PositionSource, sources
from runtime.distributed.models.catalogue import STORES, VERSIONS
from runtime.distributed.models.generations import Generations
from runtime.distributed.rebuild.notes import DECISIONS
from runtime.distributed.roles.readiness import STORE_UNAVAILABLE, GroupProgress, query_parts, reached_part
from runtime.distributed.settings import DistributedSettings
from runtime.lag import Behind, total
from runtime.readiness import Part
from runtime.settings import Settings
from runtime.status import EngineStatus, GroupStatus, ModelStatus, Outbox, Status, group_told, outbox_part, overall
from stores.cassandra.session import CassandraSession
from stores.dead_letters import Counts
from stores.postgres.dead_letters import counted, pool_of
from stores.postgres.pointers import Pointers
from stores.postgres.rebuilds import Rebuild, Rebuilds
from stores.postgres.roles import connected
from stores.redis.connection import answering, connect
from stores.s3.objects import Location, S3Objects
from stores.sink import StoreRefused, StoreUnavailable

T = TypeVar("T")

REPLY_S = 5.0
"""Seconds that an engine may take to answer."""
UNMADE = (InvalidRequest, psycopg.errors.UndefinedTable, psycopg.errors.InvalidSchemaName)
NO_TABLES = "its tables are not there; run `minitwitter migrate`"
SIDES = {
    "command": "no process takes writes: `minitwitter serve command` starts one",
    "query": "no process answers reads: `minitwitter serve query` starts one",
}
"""The roles that serve clients, and the sentence for each if no process has it."""
RELAYS = frozenset(("relay", "all"))
"""The roles that publish the waiting rows of the outbox."""
UNAVAILABLE = (LogUnavailable, NotSetUp, StoreUnavailable, StoreRefused, psycopg.Error, TimeoutError, OSError)


async def status(settings: Settings, clock: Clock = wall_clock) -> Status:
    """Return the current status. Raises BadSettings if an address is missing."""
    looking = _StatusQuery(DistributedSettings.of(settings), clock)
    try:
        return await looking.status()
    finally:
        await looking.close()


def parts_of(
    reached: Iterable[GroupProgress],
    unavailable: Mapping[str, str],
    outbox: Outbox | None,
    running: Collection[str] | None = None,
    folded: float | None = None,
) -> list[Part]:
    """Return the parts of an installation: those of its query processes, and those that only writers notice.

    `unavailable` are the engines that do not answer, each with the reason. Without PostgreSQL nothing can be written.
    `running` are the roles of the running processes; None if unknown. `folded` is the share of the log that a rebuild
    of the decision state has applied; None if none runs.
    """
    sides = {side: "" if running is None or side in running else none for side, none in SIDES.items()}
    if folded is not None:
        sides["command"] = f"the decision state is being rebuilt: {folded:.0%}; no process takes writes meanwhile"
    postgres = unavailable.get("postgres", "")
    relayed = running is None or not RELAYS.isdisjoint(running)
    return [
        *(Part.of(side, down=down) for side, down in sides.items()),
        *query_parts(reached, sessions=postgres, kafka=unavailable.get("kafka", "")),
        Part.of("postgres", down=postgres),
        Part.of("media", degraded=unavailable.get("s3", "")),
        Part.of("outbox", degraded=postgres) if postgres else outbox_part(outbox, relayed=relayed),
    ]


class _StatusQuery:
    """One query of all engines. An engine that does not answer is reported as such."""

    def __init__(self, settings: DistributedSettings, clock: Clock) -> None:
        self._settings = settings
        self._clock = clock
        self._url = settings.postgres
        self._generations = Generations.first(settings)
        self._pool = open_pool(self._url, most=2)
        self._redis = connect(settings.redis)
        self._session: CassandraSession | None = None
        partitions = topics.partitions_of(partitions=settings.topic_partitions)
        places = [TopicPartition(topic, n) for topic, number in partitions.items() for n in range(number)]
        self._kafka = KafkaLook(settings.brokers, places, prefix=settings.topic_prefix)
        self._members = KafkaMembers(settings.brokers, VERSIONS, prefix=settings.topic_prefix)
        self._engines: dict[str, EngineStatus] = {}
        self._rebuilds: list[Rebuild] = []

    async def status(self) -> Status:
        """Query all engines at once, after the pointers, which name the generations."""
        await self._asked("postgres", self._open_postgres)
        outbox, ends, workers, _, _, _ = await asyncio.gather(
            self._asked("postgres", self._outbox),
            self._asked("kafka", self._kafka.ends),
            self._workers(),
            self._asked("cassandra", self._open_cassandra),
            self._asked("redis", self._ping),
            self._ask_media(),
        )
        reached = await asyncio.gather(*(self._reached(*each, ends) for each in self._sources().items()))
        letters, running = await self._letters()
        reached = [each._replace(letters=letters.get(each.group), workers=workers.get(each.group)) for each in reached]
        unavailable = {engine.name: engine.detail for engine in self._engines.values() if engine.milliseconds is None}
        parts = parts_of(reached, unavailable, outbox, running, self._built(DECISIONS))
        return Status(
            "distributed",
            overall(parts),
            parts,
            [self._group(each, known=ends is not None) for each in reached],
            list(self._engines.values()),
            outbox,
        )

    async def _asked(self, name: str, ask: Callable[[], Awaitable[T]]) -> T | None:
        """Query an engine, and measure the time, or store why it did not answer."""
        started = time.perf_counter()
        try:
            answer = await asyncio.wait_for(ask(), REPLY_S)
        except UNMADE:
            self._engines[name] = EngineStatus(name, None, NO_TABLES)
            return None
        except UNAVAILABLE as error:
            detail = " ".join(str(error).split()) or f"no answer within {REPLY_S:g} s"
            self._engines[name] = EngineStatus(name, None, detail)
            return None
        self._engines[name] = EngineStatus(name, round((time.perf_counter() - started) * 1000, 1))
        return answer

    async def _open_postgres(self) -> None:
        await self._pool.open()
        self._generations = self._generations.pointed(await Pointers(self._url).read())
        self._rebuilds = await Rebuilds(self._url).running()
        await run(self._pool, lambda connection: select(connection, "SELECT 1"))

    async def _outbox(self) -> Outbox:
        found = await run(self._pool, depth)
        age_ms = 0 if found.oldest is None else max(0, self._clock() - found.oldest)
        return Outbox(found.rows, age_ms / 1000)

    async def _letters(self) -> tuple[dict[str, Counts], frozenset[str] | None]:
        """Return the dead letters of each group, and the running roles; nothing if PostgreSQL does not answer."""
        letters: dict[str, Counts] = {}
        pool = pool_of(self._url)
        with contextlib.suppress(*UNAVAILABLE, *UNMADE):
            try:
                await pool.open()
                running = await asyncio.wait_for(connected(pool), REPLY_S)
                with contextlib.suppress(*UNMADE):
                    letters = self._generations.letters(await asyncio.wait_for(counted(pool), REPLY_S))
                return letters, running
            finally:
                await pool.close()
        return letters, None

    async def _workers(self) -> dict[str, int]:
        """Return the number of workers of each group; none if Kafka does not answer."""
        with contextlib.suppress(LogUnavailable):
            return await self._members.count()
        return {}

    async def _open_cassandra(self) -> None:
        self._session = await CassandraSession.connect(self._generations.address)
        await self._session.read("SELECT release_version FROM system.local")

    async def _ping(self) -> None:
        with answering():
            await self._redis.ping()

    async def _ask_media(self) -> None:
        """Query the media store, if it is an engine."""
        s3 = self._settings.media.s3
        if s3 is not None:
            await self._asked("s3", partial(_ask_s3, s3.get_secret_value()))

    def _sources(self) -> Mapping[str, PositionSource]:
        return sources(self._session, self._redis, self._generations, self._settings.topic_partitions)

    async def _reached(self, name: str, source: PositionSource, ends: Positions | None) -> GroupProgress:
        try:
            positions, lost = await asyncio.wait_for(source.positions(), REPLY_S)
        except UNMADE:
            return GroupProgress(name, unavailable=NO_TABLES)
        except UNAVAILABLE:
            return GroupProgress(name, unavailable=STORE_UNAVAILABLE)
        finally:
            await source.close()
        return GroupProgress(name, total(await self._behind(positions, source, ends or Positions())), lost=lost)

    async def _behind(
        self, reached: Positions, source: PositionSource, ends: Positions
    ) -> dict[TopicPartition, Behind]:
        missing = {p: end for p, end in ends.items() if p.topic in source.topics and reached.get(p, 0) < end}
        appended = {}
        with contextlib.suppress(LogUnavailable, NotSetUp):
            appended = await self._kafka.appended_at({place: reached.get(place, 0) for place in missing})
        now = self._clock()
        return {
            place: Behind(end - reached.get(place, 0), max(0, now - appended.get(place, now)) / 1000)
            for place, end in missing.items()
        }

    def _group(self, reached: GroupProgress, *, known: bool) -> GroupStatus:
        store = next((store for store, groups in STORES.items() if reached.group in groups), "")
        now, first = self._generations.names().get(store, ""), Generations.first(self._settings).names().get(store, "")
        generation = "" if now == first else now
        building = self._built(store)
        models = [ModelStatus(name, version, generation, building) for name, version in VERSIONS[reached.group].items()]
        behind = reached.behind if known and not reached.unavailable else None
        letters = None if reached.letters is None else reached.letters.all
        return group_told(reached_part(reached), behind, letters, models, reached.workers)

    def _built(self, store: str) -> float | None:
        """Return the share of the log that a rebuild of a store has applied; None if none runs."""
        return next((rebuild.share for rebuild in self._rebuilds if rebuild.store == store), None)

    async def close(self) -> None:
        """Close the connections."""
        if self._session is not None:
            await self._session.close()
        await self._redis.aclose()
        await self._pool.close()


async def _ask_s3(url: str) -> None:
    objects = S3Objects(Location.parse(url), timeout_s=REPLY_S)
    try:
        await objects.read("minitwitter-status", 1)
    finally:
        objects.close()
