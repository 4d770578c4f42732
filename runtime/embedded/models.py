"""The read models as the embedded profile keeps them: each projector with its tables and rows in views.db.

Who adds a read model adds a line here and one in projectors/catalogue.py; a test holds the two together.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from functools import cache
from typing import Any, NamedTuple

import apsw

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
from stores.readers import Readers
from stores.sqlite.conversations import CONVERSATIONS, SqliteConversationRows, SqliteConversations
from stores.sqlite.counts import COUNTS, SqliteCountRows, SqliteCounts
from stores.sqlite.engagement import ENGAGEMENT, SqliteEngagement, SqliteEngagementRows
from stores.sqlite.graph import GRAPH, SqliteGraph, SqliteGraphRows
from stores.sqlite.hashtag_search import HASHTAG_SEARCH, SqliteHashtagSearch, SqliteHashtagSearchRows
from stores.sqlite.hashtags import HASHTAGS, SqliteHashtagRows, SqliteHashtags
from stores.sqlite.home_feed import SqliteHomeFeed
from stores.sqlite.media import MEDIA, SqliteMedia, SqliteMediaRows
from stores.sqlite.notifications import (
    NOTIFICATIONS,
    SqliteNotificationRows,
    SqliteNotifications,
    SqliteRaisedNotifications,
)
from stores.sqlite.public_timeline import SqlitePublicTimeline
from stores.sqlite.public_tweets import PUBLIC_TWEETS, SqlitePublicTweetRows, SqlitePublicTweets
from stores.sqlite.recommendations import SqliteRecommendations
from stores.sqlite.search import SEARCH, SqliteSearch, SqliteSearchRows
from stores.sqlite.sentiment import SENTIMENT, SqliteSentiment, SqliteSentimentRows
from stores.sqlite.sessions import SESSIONS, SqliteSessionRows, SqliteSessions
from stores.sqlite.shown_tweets import SqliteShownTweets
from stores.sqlite.snapshots import SqliteSnapshots
from stores.sqlite.trend_windows import SqliteTrendWindows
from stores.sqlite.trends import TRENDS, SqliteTrendRows, SqliteTrends
from stores.sqlite.tweets import TWEETS, SqliteTweetRows, SqliteTweets
from stores.sqlite.user_search import USER_SEARCH, SqliteUserSearch, SqliteUserSearchRows
from stores.sqlite.user_timelines import USER_TIMELINES, SqliteUserTimelineRows, SqliteUserTimelines
from stores.sqlite.users import USERS, SqliteUserRows, SqliteUsers
from stores.sqlite.views import Tables
from streams.notifications import Notifications as NotificationsStream
from streams.public_tweets import PublicTweets as PublicTweetsStream
from streams.scoring import Scorer
from streams.sentiment import Sentiment as SentimentStream
from streams.stream import Emit, Stream
from streams.trends import Trends as TrendsStream


class Model(NamedTuple):
    """A read model: the projector that fills it, its tables, and the rows that it writes to them."""

    projector: Callable[[Any], Projector]
    tables: Tables
    rows: Callable[[apsw.Connection, Mapping[str, str]], object]


SERVING: tuple[Model, ...] = (
    Model(Users, USERS, SqliteUserRows),
    Model(Graph, GRAPH, SqliteGraphRows),
    Model(Tweets, TWEETS, SqliteTweetRows),
    Model(Counts, COUNTS, SqliteCountRows),
    Model(Engagement, ENGAGEMENT, SqliteEngagementRows),
    Model(UserTimelines, USER_TIMELINES, SqliteUserTimelineRows),
    Model(Conversations, CONVERSATIONS, SqliteConversationRows),
    Model(Hashtags, HASHTAGS, SqliteHashtagRows),
    Model(Sessions, SESSIONS, SqliteSessionRows),
    Model(Search, SEARCH, SqliteSearchRows),
    Model(UserSearch, USER_SEARCH, SqliteUserSearchRows),
    Model(HashtagSearch, HASHTAG_SEARCH, SqliteHashtagSearchRows),
    Model(Notifications, NOTIFICATIONS, SqliteNotificationRows),
    Model(Media, MEDIA, SqliteMediaRows),
)
ANALYTICS: tuple[Model, ...] = (
    Model(Sentiment, SENTIMENT, SqliteSentimentRows),
    Model(PublicTweets, PUBLIC_TWEETS, SqlitePublicTweetRows),
    Model(Trends, TRENDS, SqliteTrendRows),
)


class Derivation(NamedTuple):
    """A stream, and how it is made on the tables that `names` chooses."""

    stream: type[Stream]
    make: Callable[[apsw.Connection, Mapping[str, str]], Callable[[Emit], Stream]]


@cache
def _scorer() -> Scorer:
    return Scorer()


SERVING_STREAMS: tuple[Derivation, ...] = (
    Derivation(
        NotificationsStream,
        lambda connection, names: lambda emit: NotificationsStream(emit, SqliteRaisedNotifications(connection, names)),
    ),
)
ANALYTICS_STREAMS: tuple[Derivation, ...] = (
    Derivation(SentimentStream, lambda connection, names: lambda emit: SentimentStream(emit, _scorer())),
    Derivation(
        PublicTweetsStream,
        lambda connection, names: (
            lambda emit: PublicTweetsStream(emit, _scorer(), SqlitePublicTweets(connection, names))
        ),
    ),
    Derivation(
        TrendsStream,
        lambda connection, names: lambda emit: TrendsStream(emit, SqliteTrendWindows(connection, names)),
    ),
)


def projectors(models: Iterable[Model], connection: apsw.Connection, names: Mapping[str, str]) -> list[Projector]:
    """The projectors of some read models, writing to the tables that `names` chooses."""
    return [model.projector(model.rows(connection, names)) for model in models]


def streams(
    derivations: Iterable[Derivation], connection: apsw.Connection, names: Mapping[str, str]
) -> list[Callable[[Emit], Stream]]:
    """What makes these streams, each with its rows in the tables that `names` chooses."""
    return [derivation.make(connection, names) for derivation in derivations]


def readers(connection: apsw.Connection, names: Mapping[str, str]) -> Readers:
    """Every read port on one connection, reading the tables that `names` chooses."""
    return Readers(
        snapshot=SqliteSnapshots(connection),
        users=SqliteUsers(connection, names),
        graph=SqliteGraph(connection, names),
        tweets=SqliteTweets(connection, names),
        shown_tweets=SqliteShownTweets(connection, names),
        counts=SqliteCounts(connection, names),
        engagement=SqliteEngagement(connection, names),
        user_timelines=SqliteUserTimelines(connection, names),
        home_feed=SqliteHomeFeed(connection, names),
        public_timeline=SqlitePublicTimeline(connection, names),
        conversations=SqliteConversations(connection, names),
        hashtags=SqliteHashtags(connection, names),
        sentiment=SqliteSentiment(connection, names),
        sessions=SqliteSessions(connection, names),
        trends=SqliteTrends(connection, names),
        search=SqliteSearch(connection, names),
        user_search=SqliteUserSearch(connection, names),
        hashtag_search=SqliteHashtagSearch(connection, names),
        notifications=SqliteNotifications(connection, names),
        recommendations=SqliteRecommendations(connection, names),
        media=SqliteMedia(connection, names),
    )
