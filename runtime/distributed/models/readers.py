"""Every read port of the distributed profile, as one bundle: where the query API finds what the processors keep.

Nothing here makes several reads see one state, for no engine can across the others; each answers as of its own
positions. Every port raises StoreUnavailable while its engine is away.
"""

from __future__ import annotations

from collections.abc import Callable
from contextlib import nullcontext
from functools import partial

from runtime.distributed.models.caches import Memory
from stores.cached.viewers import RememberedBarriers, RememberedMarks
from stores.cassandra.conversations import CassandraConversations
from stores.cassandra.engagement import CassandraEngagement
from stores.cassandra.graph import CassandraGraph
from stores.cassandra.hashtags import CassandraHashtags
from stores.cassandra.media import CassandraMedia
from stores.cassandra.notifications import CassandraNotifications
from stores.cassandra.public_timeline import CassandraPublicTimeline
from stores.cassandra.sentiment import CassandraSentiment
from stores.cassandra.session import CassandraSession
from stores.cassandra.sessions import CassandraSessions
from stores.cassandra.tweets import CassandraTweets
from stores.cassandra.user_timelines import CassandraUserTimelines
from stores.cassandra.users import CassandraUsers
from stores.composed.available_counts import AvailableCounts, AvailableMostFollowed
from stores.composed.recommendations import GatheredRecommendations
from stores.composed.shown_tweets import GatheredTweets
from stores.home_feed import HomeFeed
from stores.postgres.database import Pool
from stores.postgres.hashtag_search import PostgresHashtagSearch
from stores.postgres.search import PostgresSearch
from stores.postgres.user_search import PostgresUserSearch
from stores.readers import Readers
from stores.redis.connection import Client
from stores.redis.counts import RedisCounts
from stores.redis.most_followed import RedisMostFollowed
from stores.redis.sink import Keys
from stores.trends import Trends


def readers(
    session: CassandraSession,
    keyspace: str,
    redis: Client,
    keys: Keys,
    database: Pool,
    home_feed: HomeFeed,
    trends: Trends,
    *,
    memory: Memory,
    counts_away: Callable[[], bool],
) -> Readers:
    """The bundle. `keys` are the counters', `database` a pool of the schema that the searches are in, opened.

    `memory` has what is asked for once, `counts_away` tells whether the counters are known to be away.
    """
    counts = AvailableCounts(RedisCounts(redis, keys), counts_away)
    users, graph = CassandraUsers(session, keyspace), CassandraGraph(session, keyspace)
    tweets, engagement = CassandraTweets(session, keyspace), CassandraEngagement(session, keyspace)
    sentiment = CassandraSentiment(session, keyspace)
    return Readers(
        snapshot=nullcontext,
        users=users,
        graph=graph,
        tweets=tweets,
        shown_tweets=GatheredTweets(
            partial(memory.tweets.of, ask=tweets.by_ids),
            partial(memory.cards.of, ask=users.cards),
            partial(memory.scores.of, ask=sentiment.scores),
            RememberedBarriers(memory.barriers, graph),
            counts,
            RememberedMarks(memory.marks, engagement),
        ),
        counts=counts,
        engagement=engagement,
        user_timelines=CassandraUserTimelines(session, keyspace),
        home_feed=home_feed,
        public_timeline=CassandraPublicTimeline(session, keyspace),
        conversations=CassandraConversations(session, keyspace),
        hashtags=CassandraHashtags(session, keyspace),
        sessions=CassandraSessions(session, keyspace),
        sentiment=sentiment,
        trends=trends,
        search=PostgresSearch(database),
        user_search=PostgresUserSearch(database),
        hashtag_search=PostgresHashtagSearch(database),
        notifications=CassandraNotifications(session, keyspace),
        recommendations=GatheredRecommendations(
            users, graph, counts, AvailableMostFollowed(RedisMostFollowed(redis, keys), counts_away)
        ),
        media=CassandraMedia(session, keyspace),
    )
