"""The distributed profile in one process, on real engines: the roles as its processes have them, projected when told.

What takes long is made once for a run: a keyspace, which each `opened` profile finds empty, and a database to copy.
Topics, and with them the keys in Redis, are a profile's own.
"""

from __future__ import annotations

import asyncio
import dataclasses
import os
import uuid
from collections.abc import AsyncIterator, Awaitable, Callable, Sequence
from contextlib import asynccontextmanager
from functools import partial
from pathlib import Path
from typing import Any

import psycopg
from psycopg.conninfo import make_conninfo
from starlette.types import ASGIApp, Receive, Scope, Send

from command_api.postgres.migrating import migrate as migrate_decisions
from events.event import Event
from events.ids import Clock, Randomness
from events.kafka.topics import apply
from events.log import Positions, positions_after
from events.sealing import MasterKeys
from events.topics import ON_KAFKA
from runtime.distributed.roles.command import CommandRole
from runtime.distributed.roles.process import UNAVAILABLE
from runtime.distributed.roles.query import QueryRole
from runtime.distributed.roles.workers import WorkersRole, projectors, streams
from runtime.distributed.settings import DistributedSettings
from runtime.settings import Settings
from stores.cassandra.address import Address
from stores.cassandra.migrating import migrate
from stores.cassandra.session import connected
from stores.postgres.database import Database
from stores.postgres.pointers import Pointers
from tests.on_kafka import admin_of, delete_topics, own_prefix
from tests.on_postgres import a_database, on_another_loop

NOT_EMPTIED = frozenset({"migrations"})


class Ground:
    """What profiles of one run stand on. `engines` are the URLs of kafka, postgres, cassandra and redis."""

    def __init__(self, directory: Path, engines: dict[str, str]) -> None:
        self.engines = engines
        self.servers = engines["kafka"].removeprefix("kafka://")
        keyspace = f"profile_{uuid.uuid4().hex[:12]}"
        self.address = dataclasses.replace(Address.parse(engines["cassandra"]), keyspace=keyspace)
        self.master_key = directory / "master.key"
        MasterKeys.generate().save(self.master_key)
        self.template = keyspace
        with psycopg.connect(engines["postgres"], autocommit=True) as connection:
            connection.execute(f"CREATE DATABASE {self.template}")
        on_another_loop(self._make)
        self._cluster, self._session = connected(self.address)
        self._session.execute(f"ALTER KEYSPACE {self.address.keyspace} WITH durable_writes = false", timeout=60)
        found = self._session.execute(
            "SELECT table_name FROM system_schema.tables WHERE keyspace_name = %s", (self.address.keyspace,)
        )
        self._tables = [table for (table,) in found if table not in NOT_EMPTIED]

    async def _make(self) -> None:
        url = make_conninfo(self.engines["postgres"], dbname=self.template)
        await migrate_decisions(url)
        await Database(url).migrate()
        await Pointers(url).migrate()
        await migrate(self.address)

    def empty(self) -> None:
        """Let no store but the log have anything."""
        asked = [
            self._session.execute_async(f"TRUNCATE {self.address.keyspace}.{table}", timeout=60)
            for table in self._tables
        ]
        for each in asked:
            each.result()

    def drop(self) -> None:
        """Remove what is in no directory."""
        self._session.execute(f"DROP KEYSPACE {self.address.keyspace}", timeout=120)
        self._cluster.shutdown()
        with psycopg.connect(self.engines["postgres"], autocommit=True) as connection:
            connection.execute(f"DROP DATABASE {self.template} WITH (FORCE)")

    def settings(self, database: str, prefix: str, **chosen: Any) -> Settings:
        """The settings of a profile on this ground."""
        return Settings(
            kafka_url=self.engines["kafka"],
            postgres_url=database,
            redis_url=self.engines["redis"],
            cassandra_url=f"{self.engines['cassandra'].rstrip('/')}/{self.address.keyspace}",
            topic_prefix=prefix,
            master_key_file=self.master_key,
            **chosen,
        )


class DistributedProfile:
    """All roles of an installation. `application` answers as an edge in front of both APIs does."""

    def __init__(self, command: CommandRole, query: QueryRole, workers: Sequence[WorkersRole]) -> None:
        self.query = query
        self.hosted = [hosted for role in workers for hosted in role.hosted]
        self._log = workers[0].engines.log
        self._topics = frozenset().union(*(hosted.topics for hosted in self.hosted))
        self._positions = Positions()
        self._command_app = command.application()
        self._query_app = query.application()

    @classmethod
    @asynccontextmanager
    async def open(
        cls, settings: DistributedSettings, clock: Clock, randomness: Randomness
    ) -> AsyncIterator[DistributedProfile]:
        """Open every role until the end."""
        async with (
            CommandRole.open(settings, clock, randomness) as command,
            QueryRole.open(settings, clock, randomness) as query,
            projectors(settings) as projecting,
            streams(settings) as streaming,
        ):
            profile = cls(command, query, (projecting, streaming))
            for hosted in profile.hosted:
                await hosted.positions()
            polling = asyncio.ensure_future(query.authentication.poll())
            try:
                yield profile
            finally:
                polling.cancel()

    async def application(self, scope: Scope, receive: Receive, send: Send) -> None:
        """GET goes to the query API, everything else to the command API."""
        chosen: ASGIApp = self._query_app if scope.get("method", "GET") in ("GET", "HEAD") else self._command_app
        await chosen(scope, receive, send)

    async def project(self) -> None:
        """Have every group apply what stands in the log."""
        ends = await self._log.ends()
        while not self._positions.covers({p: end for p, end in ends.items() if p.topic in self._topics}):
            records = await self._log.read(self._positions, 1000, self._topics)
            self._positions = positions_after(records, self._positions)
            for hosted in self.hosted:
                mine = [record for record in records if record.topic in hosted.topics]
                if mine:
                    await _patiently(partial(hosted.apply, mine, positions_after(mine)))
        await self.query.positions.poll_stores()

    async def events(self) -> list[Event]:
        """The events of the log, of each partition in order."""
        found, at = [], Positions()
        ends = await self._log.ends()
        while not at.covers(ends):
            records = await self._log.read(at, 1000)
            at = positions_after(records, at)
            found += records
        found.sort(key=lambda record: record.about.id)
        return [record.event for record in found if record.event is not None]


async def _patiently(attempt: Callable[[], Awaitable[object]]) -> None:
    """As a worker does: an engine on a busy machine may be too late once, and then it is asked again."""
    for _ in range(20):
        try:
            await attempt()
            return
        except UNAVAILABLE:
            await asyncio.sleep(0.5)
    await attempt()


@asynccontextmanager
async def opened(
    ground: Ground, clock: Clock, randomness: Randomness = os.urandom, **chosen: Any
) -> AsyncIterator[DistributedProfile]:
    """A profile with an empty community, closed again at the end."""
    prefix = own_prefix()
    partitions = chosen.setdefault("topic_partitions", 2)
    await asyncio.gather(
        apply(admin_of(ground.servers), partitions=partitions, prefix=prefix), asyncio.to_thread(ground.empty)
    )
    with a_database(ground.engines["postgres"], like=ground.template) as database:
        settings = DistributedSettings.of(ground.settings(database, prefix, **chosen))
        try:
            async with DistributedProfile.open(settings, clock, randomness) as profile:
                yield profile
        finally:
            await delete_topics(ground.servers, [prefix + topic for topic in ON_KAFKA])
