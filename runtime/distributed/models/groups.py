"""The groups of processors of the distributed profile: what each store keeps, advanced by a group of its own.

A group's effects and positions land in one store, so a store that is away holds up nothing but itself.
"""

from __future__ import annotations

import secrets
from collections.abc import Awaitable, Callable, Mapping, Sequence
from functools import cache

from events.codec import Codec
from events.first_copies import Entity
from events.log import New, Positions, TopicPartition
from events.partitioning import partition_of
from events.publishing import Publisher, outgoing
from events.topics import DERIVED
from projectors.conversations import Conversations
from projectors.counts import Counts
from projectors.engagement import Engagement
from projectors.graph import Graph
from projectors.hashtag_search import HashtagSearch
from projectors.hashtags import Hashtags
from projectors.media import Media
from projectors.notifications import Notifications
from projectors.projector import Projector
from projectors.public_tweets import PublicTweets
from projectors.search import Search
from projectors.sentiment import Sentiment
from projectors.sessions import Sessions
from projectors.trends import Trends
from projectors.tweets import Tweets
from projectors.user_search import UserSearch
from projectors.user_timelines import UserTimelines
from projectors.users import Users
from runtime.processor_group import Group
from stores.cassandra.conversations import CassandraConversationRows
from stores.cassandra.engagement import CassandraEngagementRows
from stores.cassandra.graph import CassandraGraphRows
from stores.cassandra.hashtags import CassandraHashtagRows
from stores.cassandra.media import CassandraMediaRows
from stores.cassandra.notifications import CassandraNotificationRows, CassandraRaisedNotifications
from stores.cassandra.public_tweets import CassandraPublicTweetRows, CassandraPublicTweets
from stores.cassandra.sentiment import CassandraSentimentRows
from stores.cassandra.session import CassandraSession
from stores.cassandra.sessions import CassandraSessionRows
from stores.cassandra.sink import CassandraSink, LastWriteSink
from stores.cassandra.tweets import CassandraTweetRows
from stores.cassandra.user_timelines import CassandraUserTimelineRows
from stores.cassandra.users import CassandraUserRows
from stores.postgres.database import Database
from stores.postgres.hashtag_search import PostgresHashtagSearchRows
from stores.postgres.search import PostgresSearchRows
from stores.postgres.sink import PostgresSink
from stores.postgres.trend_windows import PostgresTrendWindows
from stores.postgres.trends import PostgresTrendRows
from stores.postgres.user_search import PostgresUserSearchRows
from stores.redis.connection import Client
from stores.redis.counts import RedisCountRows
from stores.redis.sink import Keys, RedisSink
from stores.sink import UNKNOWN, Sink
from streams.notifications import Notifications as NotificationsStream
from streams.public_tweets import PublicTweets as PublicTweetsStream
from streams.scoring import Scorer
from streams.sentiment import Sentiment as SentimentStream
from streams.stream import Stream
from streams.trends import Trends as TrendsStream

TIMELINES, COUNTS, SEARCH, STREAMS, HOME = "timelines", "counts", "search", "streams", "home"
TRENDS = "trends"
UNHURRIED = frozenset((SEARCH, STREAMS, TRENDS))
"""Groups whose batches begin less often: nobody looks at what they keep right after writing, and a batch has its cost
however small it is."""
UNHURRIED_S = 0.2
"""How often: see EVERY_S in streams/faust_worker.py."""
PROCESSORS: Mapping[str, tuple[type[Projector] | type[Stream], ...]] = {
    TIMELINES: (
        Users,
        Graph,
        Tweets,
        Engagement,
        UserTimelines,
        Conversations,
        Hashtags,
        Sessions,
        Media,
    ),
    COUNTS: (Counts,),
    SEARCH: (Search, UserSearch, HashtagSearch),
    STREAMS: (
        Notifications,
        Sentiment,
        PublicTweets,
        NotificationsStream,
        SentimentStream,
        PublicTweetsStream,
    ),
    TRENDS: (Trends, TrendsStream),
}
"""The projectors and streams of each group."""
TOPICS: Mapping[str, frozenset[str]] = {
    group: frozenset().union(*(each.topics() for each in processors)).difference(DERIVED)
    for group, processors in PROCESSORS.items()
}
"""The source topics of each group, for those who want to know how far it is and do not run it."""
VERSIONS: Mapping[str, Mapping[str, int]] = {
    group: {each.model: each.version for each in processors if issubclass(each, Projector)}
    for group, processors in PROCESSORS.items()
} | {HOME: {}}
"""The read models of each group, and the version of each projector. Home timelines are no read model, but a cache."""
WORKERS: Mapping[str, tuple[str, ...]] = {
    "projectors": (TIMELINES, COUNTS, SEARCH, HOME),
    "streams": (STREAMS, TRENDS),
}
"""The groups that each command `minitwitter work` hosts; `work all` hosts all of them."""


@cache
def _scorer() -> Scorer:
    return Scorer()


def timelines(session: CassandraSession, keyspace: str) -> Group:
    """What Cassandra keeps of the source topics."""
    sink = LastWriteSink(session, keyspace, TIMELINES)
    return Group(
        TIMELINES,
        [
            Users(CassandraUserRows(sink, keyspace)),
            Graph(CassandraGraphRows(sink, keyspace)),
            Tweets(CassandraTweetRows(sink, keyspace)),
            Engagement(CassandraEngagementRows(sink, keyspace)),
            UserTimelines(CassandraUserTimelineRows(sink, keyspace)),
            Conversations(CassandraConversationRows(sink, keyspace)),
            Hashtags(CassandraHashtagRows(sink, keyspace)),
            Sessions(CassandraSessionRows(sink, keyspace)),
            Media(CassandraMediaRows(sink, keyspace)),
        ],
        [],
        sink,
    )


def count_keys(prefix: str) -> Keys:
    """Where Redis keeps the counters of this version of their projector; `prefix` is that of the topics."""
    return Keys(f"{prefix}{Counts.model}@{Counts.version}")


def counts(
    client: Client,
    prefix: str,
    partitions: int,
    ends: Callable[[], Awaitable[Positions]],
    *,
    keys: Keys | None = None,
) -> Group:
    """The counters, in Redis. `ends` tells where the log's partitions end; a rebuild has keys of its own."""
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
    return Group(COUNTS, [Counts(RedisCountRows(sink))], [], sink)


def search(database: Database) -> Group:
    """The search of tweets, users and hashtags, in PostgreSQL."""
    tweets, users, hashtags = PostgresSearchRows(), PostgresUserSearchRows(), PostgresHashtagSearchRows()
    sink = PostgresSink(database, SEARCH, [tweets, users, hashtags])
    return Group(SEARCH, [Search(tweets), UserSearch(users), HashtagSearch(hashtags)], [], sink)


def streams(session: CassandraSession, keyspace: str, publisher: Publisher, codec: Codec) -> Group:
    """What is derived, published, and kept in Cassandra: notifications, sentiment, public tweets."""
    sink = CassandraSink(session, keyspace, STREAMS)
    publishing = PublishingSink(sink, publisher, codec)
    raised = CassandraRaisedNotifications(session, sink, keyspace)
    contexts = CassandraPublicTweets(session, sink, keyspace)
    return Group(
        STREAMS,
        [
            Notifications(CassandraNotificationRows(sink, keyspace)),
            Sentiment(CassandraSentimentRows(sink, keyspace)),
            PublicTweets(CassandraPublicTweetRows(sink, keyspace)),
        ],
        [
            lambda emit: NotificationsStream(emit, raised),
            lambda emit: SentimentStream(emit, _scorer()),
            lambda emit: PublicTweetsStream(emit, _scorer(), contexts),
        ],
        publishing,
        publishing.keep,
    )


def trends(database: Database, publisher: Publisher, codec: Codec) -> Group:
    """Who used which tag, and how the windows were ranked last, in PostgreSQL; rankings are published."""
    rows = PostgresTrendRows()
    sink = PostgresSink(database, TRENDS, [rows])
    windows = PostgresTrendWindows(database, sink)
    publishing = PublishingSink(sink, publisher, codec)
    return Group(
        TRENDS, [Trends(rows)], [lambda emit: TrendsStream(emit, windows, shared=True)], publishing, publishing.keep
    )


class PublishingSink:
    """A sink whose batches are published before they land: what is derived is never missing from its topic.

    A batch that is published and does not land is derived and published again, the same records: law 4.
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
        """These are to be published with the batch."""
        self._kept.extend(news)

    async def commit(
        self, positions: Positions, newest: Mapping[Entity, str], last: Mapping[TopicPartition, str] = UNKNOWN
    ) -> None:
        """Publish, then land. Raises LogUnavailable, StoreUnavailable."""
        try:
            if self._kept:
                await self._publisher.publish([outgoing(new, self._codec) for new in self._kept])
        except BaseException:
            await self.abandon()
            raise
        self._kept = []
        await self._sink.commit(positions, newest, last)

    async def abandon(self) -> None:
        """Undo the batch; what of it was published comes again."""
        self._kept = []
        await self._sink.abandon()
