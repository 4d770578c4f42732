"""The read models of Cassandra in a keyspace for tests. Tests apply events, and read ports and digests."""

from __future__ import annotations

import asyncio
import contextlib
import dataclasses
import random
import uuid
from collections.abc import Collection, Coroutine, Iterable, Mapping, Sequence
from typing import Any, TypeVar

import pytest

from events.first_copies import Entity
from events.log import New, Positions, Record, TopicPartition, positions_after
from runtime.distributed.models import catalogue
from runtime.distributed.models.groups import on_cassandra
from runtime.processor_group import Group
from stores.cassandra.address import Address
from stores.cassandra.digest import BUCKETS, digests
from stores.cassandra.migrating import migrate, migrations
from stores.cassandra.notifications import (
    CassandraRaisedNotifications,
)
from stores.cassandra.public_timeline import CassandraPublicTimeline
from stores.cassandra.public_tweets import CassandraPublicTweets
from stores.cassandra.session import CassandraSession, Parameters, Row, connected
from stores.cassandra.sink import CassandraSink
from stores.composed.shown_tweets import GatheredTweets
from stores.groups import STREAMS, TIMELINES
from stores.readers import Readers
from stores.sink import UNKNOWN
from streams.notifications import Notifications as NotificationsStream
from streams.public_tweets import PublicTweets as PublicTweetsStream
from streams.scoring import Scorer
from streams.sentiment import Sentiment as SentimentStream

T = TypeVar("T")

_SCORER = Scorer()
_TABLES = [
    *(table for model in catalogue.on_cassandra().values() for table in model.tables),
    BUCKETS,
    "positions",
    "newest",
]


def drop(address: Address) -> None:
    """Drop a keyspace, which takes seconds on a busy machine."""
    cluster, session = connected(address)
    session.execute(f"DROP KEYSPACE IF EXISTS {address.keyspace}", timeout=120)
    cluster.shutdown()


class Died(BaseException):
    """Stands for the end of a killed process. It is no fault of a record, so the group sets nothing aside."""


class DyingSession(CassandraSession):
    """The session of a process that dies: only some of its writes are made."""

    def __init__(self, session: CassandraSession, randomness: random.Random) -> None:
        self._whole = session
        self._randomness = randomness

    async def read(self, cql: str, parameters: Parameters = ()) -> list[Row]:
        """As ever."""
        return await self._whole.read(cql, parameters)

    async def write(self, writes: Iterable[tuple[str, Parameters]]) -> None:
        """Make all of these writes, or only some and die."""
        asked = list(writes)
        made = [write for write in asked if self._randomness.random() < 0.7]
        await self._whole.write(made)
        if len(made) < len(asked):
            raise Died


class DyingSink(CassandraSink):
    """A sink whose process dies in the middle of a batch when it is told to: some of the writes are made."""

    dies: random.Random | None = None

    async def commit(
        self, positions: Positions, newest: Mapping[Entity, str], last: Mapping[TopicPartition, str] = UNKNOWN
    ) -> None:
        """Commit the batch, or a part of it."""
        if self.dies is None:
            await super().commit(positions, newest, last)
            return
        if self.dies.random() < 0.5:
            await self.session.write(self._writes)
            self.session = DyingSession(self.session, self.dies)
            for step in self._steps.values():
                with contextlib.suppress(Died):
                    await step()
        else:
            await self.session.write([write for write in self._writes if self.dies.random() < 0.5])
        await self.abandon()
        raise Died


class OnCassandra:
    """One keyspace, emptied between examples, and an event loop for tests that have none of their own.

    With `only`, it has the tables of some migrations: they take longer to make than most tests to run.
    """

    def __init__(self, url: str, *, durable: bool = False, only: Collection[str] = ()) -> None:
        self._loop = asyncio.Runner()
        self._steps = [step for step in migrations() if not only or step.name in only]
        self.address = dataclasses.replace(Address.parse(url), keyspace=f"test_{uuid.uuid4().hex[:12]}")
        self.session = self.run(self._open())
        if not durable:
            self.run(self.fleeting())
        self.derived: list[New] = []

    async def _open(self) -> CassandraSession:
        await migrate(self.address, steps=self._steps)
        return await CassandraSession.connect(self.address)

    async def fleeting(self) -> None:
        """Disable the commit log, so that truncating a table is ten times as fast."""
        await self.session.read(f"ALTER KEYSPACE {self.address.keyspace} WITH durable_writes = false")

    def run(self, work: Coroutine[Any, Any, T]) -> T:
        """Run a coroutine on the event loop."""
        return self._loop.run(work)

    def close(self, *, dropping: bool = True) -> None:
        """Close the session, and drop the keyspace unless the whole cluster is removed."""
        self.run(self.session.close())
        self._loop.close()
        if dropping:
            drop(self.address)

    async def empty(self, tables: Iterable[str] = _TABLES) -> None:
        """Empty these tables, or all tables of read models."""
        await asyncio.to_thread(self._truncate, tables)
        self.derived = []

    def _truncate(self, tables: Iterable[str]) -> None:
        # With the driver's own session, which can be given the time that this may take.
        execute = self.session._session.execute_async
        for future in [execute(f"TRUNCATE {self.address.keyspace}.{table}", timeout=60) for table in tables]:
            future.result()

    def group(self, consumers: str = "serving") -> Group:
        """Return a group with all processors of Cassandra's read models, and a new sink."""
        session, keyspace = self.session, self.address.keyspace
        sink = DyingSink(session, keyspace, consumers)
        raised = CassandraRaisedNotifications(session, sink, keyspace)
        contexts = CassandraPublicTweets(session, sink, keyspace)
        return Group(
            consumers,
            [*on_cassandra(TIMELINES, sink, keyspace), *on_cassandra(STREAMS, sink, keyspace)],
            [
                lambda emit: NotificationsStream(emit, raised),
                lambda emit: SentimentStream(emit, _SCORER),
                lambda emit: PublicTweetsStream(emit, _SCORER, contexts),
            ],
            sink,
            self.derived.extend,
        )

    async def apply(self, batches: Iterable[Sequence[Record]], group: Group | None = None) -> None:
        """Apply batches."""
        group = group or self.group()
        positions = Positions()
        for batch in batches:
            positions = positions_after(batch, positions)
            await group.apply(batch, positions)

    async def die_over(self, batch: Sequence[Record], randomness: random.Random) -> None:
        """A process starts, writes a part of this batch's effects, and stores no positions."""
        group = self.group()
        assert isinstance(group.sink, DyingSink)
        group.sink.dies = randomness
        with pytest.raises(Died):
            await group.apply(batch, Positions())

    async def digests(self) -> dict[str, tuple[int, str]]:
        """Return number of rows and digest of every read model."""
        return await digests(self.session, self.address.keyspace, catalogue.on_cassandra(), slices=2)

    def readers(self, others: Readers) -> Readers:
        """Return read ports: those of Cassandra, and the given ports of the other read models."""
        session, keyspace = self.session, self.address.keyspace
        kept = {
            one.projector.model: model.reader(session, keyspace)
            for one in catalogue.listed(TIMELINES, STREAMS)
            if (model := catalogue.declared(one)).reader is not None
        }
        users, tweets, scores = kept["users"], kept["tweets"], kept["sentiment"].scores
        return dataclasses.replace(
            others,
            **kept,
            shown_tweets=GatheredTweets(
                tweets.by_ids, users.cards, scores, kept["graph"], others.counts, kept["engagement"]
            ),
            public_timeline=CassandraPublicTimeline(session, keyspace),
        )
