"""The read ports of the distributed profile as one bundle, for the query API.

Several reads do not see one state, because engines share no snapshots: each answer reflects its own store's positions.
Every port raises StoreUnavailable while its engine is unreachable.
"""

from __future__ import annotations

from collections.abc import Callable
from contextlib import nullcontext
from functools import partial
from typing import Any

from events.postgres.connections import Pool
from runtime.distributed.models.caches import Memory
from runtime.distributed.models.catalogue import CASSANDRA, SEARCHES, STORES, declared, listed
from stores.cached.viewers import RememberedBarriers, RememberedMarks
from stores.cassandra.public_timeline import CassandraPublicTimeline
from stores.cassandra.session import CassandraSession
from stores.composed.available_counts import AvailableCounts, AvailableMostFollowed
from stores.composed.recommendations import GatheredRecommendations
from stores.composed.shown_tweets import GatheredTweets
from stores.home_feed import HomeFeed
from stores.readers import Readers
from stores.redis.connection import Client
from stores.redis.counts import RedisCounts
from stores.redis.most_followed import RedisMostFollowed
from stores.redis.sink import RedisKeys
from stores.trends import Trends


def readers(
    session: CassandraSession,
    keyspace: str,
    redis: Client,
    keys: RedisKeys,
    database: Pool,
    home_feed: HomeFeed,
    trends: Trends,
    *,
    memory: Memory,
    counts_unavailable: Callable[[], bool],
) -> Readers:
    """Return the bundle. `keys` locates the counters; `database` is an open pool on the schema of the searches.

    `memory` has the caches; `counts_unavailable` returns whether the counters are known to be unreachable.
    """
    counts = AvailableCounts(RedisCounts(redis, keys), counts_unavailable)
    on = {CASSANDRA: (session, keyspace), SEARCHES: (database,)}
    kept: dict[str, Any] = {
        one.projector.model: model.reader(*on[store])
        for store in on
        for one in listed(*STORES[store])
        if (model := declared(one)).reader is not None
    }
    users, graph, tweets, engagement, sentiment = (
        kept[name] for name in ("users", "graph", "tweets", "engagement", "sentiment")
    )
    composed: dict[str, Any] = {
        "snapshot": nullcontext,
        "shown_tweets": GatheredTweets(
            partial(memory.tweets.of, ask=tweets.by_ids),
            partial(memory.cards.of, ask=users.cards),
            partial(memory.scores.of, ask=sentiment.scores),
            RememberedBarriers(memory.barriers, graph),
            counts,
            RememberedMarks(memory.marks, engagement),
        ),
        "counts": counts,
        "home_feed": home_feed,
        "public_timeline": CassandraPublicTimeline(session, keyspace),
        "trends": trends,
        "recommendations": GatheredRecommendations(
            users, graph, counts, AvailableMostFollowed(RedisMostFollowed(redis, keys), counts_unavailable)
        ),
    }
    return Readers(**kept | composed)
