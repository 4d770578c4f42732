"""Builds the groups of processors of the distributed profile, each with the sink of its store.

A group's rows and positions are in one store, so an unreachable store stops only its own groups.
"""

from __future__ import annotations

import secrets
from collections.abc import Awaitable, Callable, Mapping, Sequence
from functools import cache
from typing import Any

from events.codec import Codec
from events.first_copies import Entity
from events.log import New, Positions, TopicPartition
from events.partitioning import partition_of
from events.publishing import Publisher, outgoing
from projectors.catalogue import ProjectorEntry
from projectors.counts import Counts
from projectors.projector import Projector
from runtime.distributed.models.catalogue import declared, listed
from runtime.processor_group import Group
from stores.cassandra.notifications import CassandraRaisedNotifications
from stores.cassandra.public_tweets import CassandraPublicTweets
from stores.cassandra.session import CassandraSession
from stores.cassandra.sink import CassandraSink, LastWriteSink
from stores.groups import COUNTS, SEARCH, STREAMS, TIMELINES, TRENDS
from stores.postgres.database import Database
from stores.postgres.sink import PostgresSink
from stores.postgres.trend_windows import PostgresTrendWindows
from stores.redis.connection import Client
from stores.redis.sink import RedisKeys, RedisSink
from stores.sink import UNKNOWN, Sink
from streams.notifications import Notifications as NotificationsStream
from streams.public_tweets import PublicTweets as PublicTweetsStream
from streams.scoring import Scorer
from streams.sentiment import Sentiment as SentimentStream
from streams.trends import Trends as TrendsStream

UNHURRIED = frozenset((SEARCH, STREAMS, TRENDS))
"""Groups with fewer and larger batches: nobody reads their rows right after writing, and each batch has a
fixed cost.
"""
UNHURRIED_S = 0.2
"""Seconds between their batches: see EVERY_S in streams/faust_worker.py."""


@cache
def _scorer() -> Scorer:
    return Scorer()


def on_cassandra(group: str, sink: CassandraSink, keyspace: str) -> list[Projector]:
    """Return the projectors of a group whose rows are written to Cassandra, through `sink`."""
    return [_made(one, declared(one).rows(sink, keyspace)) for one in listed(group)]


def _made(one: ProjectorEntry, rows: object) -> Projector:
    make: Callable[[Any], Projector] = one.projector
    return make(rows)


def timelines(session: CassandraSession, keyspace: str) -> Group:
    """Return the group of read models of source topics in Cassandra."""
    sink = LastWriteSink(session, keyspace, TIMELINES)
    return Group(TIMELINES, on_cassandra(TIMELINES, sink, keyspace), [], sink)


def count_keys(prefix: str) -> RedisKeys:
    """Return the key prefix of the counters of this projector version; `prefix` is that of the topics."""
    return RedisKeys(f"{prefix}{Counts.model}@{Counts.version}")


def counts(
    client: Client,
    prefix: str,
    partitions: int,
    ends: Callable[[], Awaitable[Positions]],
    *,
    keys: RedisKeys | None = None,
) -> Group:
    """Return the group of counters, in Redis. `ends` returns the ends of the log's partitions; a rebuild has keys of
    its own.
    """
    topics = Counts.topics()

    def place_of(entity: Entity) -> TopicPartition:
        topic, key = entity
        return TopicPartition(topic, partition_of(key, partitions))

    async def ends_of_counts() -> Positions:
        return Positions((place, end) for place, end in (await ends()).items() if place.topic in topics)

    sink = RedisSink(
        client,
        keys or count_keys(prefix),
        place_of=place_of,
        ends=ends_of_counts,
        new_epoch=lambda: secrets.token_hex(8),
    )
    return Group(COUNTS, [_made(one, declared(one).rows(sink)) for one in listed(COUNTS)], [], sink)


def search(database: Database) -> Group:
    """Return the group of the searches of tweets, users and hashtags, in PostgreSQL."""
    rows = [declared(one).rows() for one in listed(SEARCH)]
    sink = PostgresSink(database, SEARCH, rows)
    return Group(SEARCH, [_made(*each) for each in zip(listed(SEARCH), rows, strict=True)], [], sink)


def streams(session: CassandraSession, keyspace: str, publisher: Publisher, codec: Codec) -> Group:
    """Return the group of streams whose rows are in Cassandra: notifications, sentiment, public tweets. Their events
    are published.
    """
    sink = CassandraSink(session, keyspace, STREAMS)
    publishing = PublishingSink(sink, publisher, codec)
    raised = CassandraRaisedNotifications(session, sink, keyspace)
    contexts = CassandraPublicTweets(session, sink, keyspace)
    return Group(
        STREAMS,
        on_cassandra(STREAMS, sink, keyspace),
        [
            lambda emit: NotificationsStream(emit, raised),
            lambda emit: SentimentStream(emit, _scorer()),
            lambda emit: PublicTweetsStream(emit, _scorer(), contexts),
        ],
        publishing,
        publishing.keep,
    )


def trends(database: Database, publisher: Publisher, codec: Codec) -> Group:
    """Return the group of tag uses and emitted rankings, in PostgreSQL. Rankings are published."""
    rows = [declared(one).rows() for one in listed(TRENDS)]
    sink = PostgresSink(database, TRENDS, rows)
    windows = PostgresTrendWindows(database, sink)
    publishing = PublishingSink(sink, publisher, codec)
    projectors = [_made(*each) for each in zip(listed(TRENDS), rows, strict=True)]
    return Group(
        TRENDS, projectors, [lambda emit: TrendsStream(emit, windows, shared=True)], publishing, publishing.keep
    )


class PublishingSink:
    """A sink that publishes derived events before it commits the batch: they are never missing from their topic.

    If the commit fails, the same records are derived and published again: law 4.
    """

    def __init__(self, sink: Sink, publisher: Publisher, codec: Codec) -> None:
        self._sink = sink
        self._publisher = publisher
        self._codec = codec
        self._kept: list[New] = []
        self.positions = sink.positions
        self.marks = sink.marks
        self.newest = sink.newest
        self.begin = sink.begin
        self.applying = sink.applying
        self.check = sink.check
        self.close = sink.close

    def keep(self, news: Sequence[New]) -> None:
        """Add records to publish with the batch."""
        self._kept.extend(news)

    async def commit(
        self, positions: Positions, newest: Mapping[Entity, str], last: Mapping[TopicPartition, str] = UNKNOWN
    ) -> None:
        """Publish, then commit. Raises LogUnavailable, StoreUnavailable."""
        try:
            if self._kept:
                await self._publisher.publish([outgoing(new, self._codec) for new in self._kept])
        except BaseException:
            await self.abandon()
            raise
        self._kept = []
        await self._sink.commit(positions, newest, last)

    async def abandon(self) -> None:
        """Roll back the batch; published records are published again later."""
        self._kept = []
        await self._sink.abandon()
