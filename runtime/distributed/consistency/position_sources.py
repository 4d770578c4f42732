"""Reads the positions of each group from its store, for processes that do not run the group."""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from functools import cache, partial
from typing import NamedTuple

from events.log import Positions, TopicPartition
from projectors.fan_out import FanOut
from rest.exchange import Reads
from runtime.distributed.models.catalogue import GROUPS_OF, TOPICS
from runtime.distributed.models.generations import Generations
from stores.cassandra.home_rows import CassandraHomeTimelineRows
from stores.cassandra.session import CassandraSession
from stores.cassandra.sink import CassandraSink
from stores.groups import COUNTS, HOME, SEARCH, STREAMS, TIMELINES, TRENDS
from stores.postgres.sink import PostgresSink
from stores.redis.connection import Client
from stores.redis.counts import RedisCounts
from stores.sink import Sink, StoreUnavailable


@cache
def groups_of(reads: Reads) -> tuple[str, ...]:
    """Return the groups that fill some read ports."""
    return tuple({group: None for port in reads for group in GROUPS_OF[port]})


class PositionSource(NamedTuple):
    """A group of processors: the topics that it reads, and the function that asks its store for positions.

    The answer also says whether the store knows that it lost something. Raises StoreUnavailable. No read waits for a
    group that is not `awaited`: its answers have an `as_of`.
    """

    topics: frozenset[str]
    positions: Callable[[], Awaitable[tuple[Positions, bool]]]
    close: Callable[[], Awaitable[None]]
    awaited: bool = True


def sources(
    session: CassandraSession | None, redis: Client, generations: Generations, partitions: int
) -> dict[str, PositionSource]:
    """Return the groups that routes read from. `partitions` is the number of partitions of each topic.

    Without a session, the groups of Cassandra are unreachable.
    """
    keyspace, database = generations.address.keyspace, generations.database

    def of(group: str, sink: Sink) -> PositionSource:
        return PositionSource(TOPICS[group], _whole(sink.positions), sink.close)

    def on_cassandra(group: str) -> PositionSource:
        if session is None:
            return PositionSource(TOPICS[group], _unavailable, _nothing)
        return of(group, CassandraSink(session, keyspace, group))

    home = _unavailable if session is None else _whole(partial(_home_positions, session, keyspace, partitions))
    return {
        TIMELINES: on_cassandra(TIMELINES),
        HOME: PositionSource(FanOut.topics(), home, _nothing),
        STREAMS: on_cassandra(STREAMS),
        COUNTS: PositionSource(TOPICS[COUNTS], RedisCounts(redis, generations.keys).positions, _nothing),
        SEARCH: of(SEARCH, PostgresSink(database, SEARCH, [])),
        TRENDS: of(TRENDS, PostgresSink(database, TRENDS, []))._replace(awaited=False),
    }


async def _home_positions(session: CassandraSession, keyspace: str, partitions: int) -> Positions:
    places = [TopicPartition(topic, n) for topic in FanOut.topics() for n in range(partitions)]
    reached = await CassandraHomeTimelineRows(session, keyspace).progress(places)
    return Positions((place, progress.offset) for place, progress in reached.items())


async def _unavailable() -> tuple[Positions, bool]:
    raise StoreUnavailable("Cassandra does not answer")


async def _nothing() -> None:
    """Do nothing: the connection is shared."""


def _whole(positions: Callable[[], Awaitable[Positions]]) -> Callable[[], Awaitable[tuple[Positions, bool]]]:
    """Return False, for a store that cannot know whether it lost something: its positions show that."""

    async def ask() -> tuple[Positions, bool]:
        return await positions(), False

    return ask
