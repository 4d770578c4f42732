"""How far each group has come, asked of its store by a process that does not run it."""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from functools import cache

from events.log import Positions, TopicPartition
from projectors.fan_out import FanOut
from rest.exchange import Reads
from runtime.distributed.consistency.read_positions import Source
from runtime.distributed.models.catalogue import GROUPS_OF, TOPICS
from stores.cassandra.home_rows import CassandraHomeTimelineRows
from stores.cassandra.session import CassandraSession
from stores.cassandra.sink import CassandraSink
from stores.groups import COUNTS, HOME, SEARCH, STREAMS, TIMELINES, TRENDS
from stores.postgres.database import Database
from stores.postgres.sink import PostgresSink
from stores.redis.connection import Client
from stores.redis.counts import RedisCounts
from stores.redis.sink import Keys
from stores.sink import Sink, StoreUnavailable


@cache
def groups_of(reads: Reads) -> tuple[str, ...]:
    """The groups that fill some read ports."""
    return tuple({group: None for port in reads for group in GROUPS_OF[port]})


def sources(
    session: CassandraSession | None, keyspace: str, redis: Client, keys: Keys, database: Database, partitions: int
) -> dict[str, Source]:
    """The groups that routes read from. `partitions` is how many each topic has, `keys` are the counters'.

    Without a session the groups of Cassandra are away.
    """

    def of(group: str, sink: Sink) -> Source:
        return Source(TOPICS[group], _whole(sink.positions), sink.close)

    async def home() -> Positions:
        assert session is not None
        places = [TopicPartition(topic, n) for topic in FanOut.topics() for n in range(partitions)]
        reached = await CassandraHomeTimelineRows(session, keyspace).progress(places)
        return Positions((place, progress.offset) for place, progress in reached.items())

    def on_cassandra(group: str) -> Source:
        if session is None:
            return Source(TOPICS[group], _away, _nothing)
        return of(group, CassandraSink(session, keyspace, group))

    return {
        TIMELINES: on_cassandra(TIMELINES),
        HOME: Source(FanOut.topics(), _away if session is None else _whole(home), _nothing),
        STREAMS: on_cassandra(STREAMS),
        COUNTS: Source(TOPICS[COUNTS], RedisCounts(redis, keys).positions, _nothing),
        SEARCH: of(SEARCH, PostgresSink(database, SEARCH, [])),
        TRENDS: of(TRENDS, PostgresSink(database, TRENDS, []))._replace(awaited=False),
    }


async def _away() -> tuple[Positions, bool]:
    raise StoreUnavailable("Cassandra does not answer")


async def _nothing() -> None:
    """What it asks by is others' as well."""


def _whole(positions: Callable[[], Awaitable[Positions]]) -> Callable[[], Awaitable[tuple[Positions, bool]]]:
    """Of a store that does not know whether it has lost anything; what it lacks, its positions show."""

    async def ask() -> tuple[Positions, bool]:
        return await positions(), False

    return ask
