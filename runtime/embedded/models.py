"""The read models as the embedded profile keeps them: each projector with its tables and rows in views.db.

Who adds a read model adds a line here and one in projectors/catalogue.py; a test holds the two together.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from typing import Any, NamedTuple

import apsw

from projectors.conversations import Conversations
from projectors.counts import Counts
from projectors.engagement import Engagement
from projectors.graph import Graph
from projectors.hashtags import Hashtags
from projectors.projector import Projector
from projectors.sessions import Sessions
from projectors.tweets import Tweets
from projectors.user_timelines import UserTimelines
from projectors.users import Users
from stores.readers import Readers
from stores.sqlite.conversations import CONVERSATIONS, SqliteConversationRows, SqliteConversations
from stores.sqlite.counts import COUNTS, SqliteCountRows, SqliteCounts
from stores.sqlite.engagement import ENGAGEMENT, SqliteEngagement, SqliteEngagementRows
from stores.sqlite.graph import GRAPH, SqliteGraph, SqliteGraphRows
from stores.sqlite.hashtags import HASHTAGS, SqliteHashtagRows, SqliteHashtags
from stores.sqlite.home_feed import SqliteHomeFeed
from stores.sqlite.public_timeline import SqlitePublicTimeline
from stores.sqlite.sessions import SESSIONS, SqliteSessionRows, SqliteSessions
from stores.sqlite.snapshots import SqliteSnapshots
from stores.sqlite.tweets import TWEETS, SqliteTweetRows, SqliteTweets
from stores.sqlite.user_timelines import USER_TIMELINES, SqliteUserTimelineRows, SqliteUserTimelines
from stores.sqlite.users import USERS, SqliteUserRows, SqliteUsers
from stores.sqlite.views import Tables


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
)
ANALYTICS: tuple[Model, ...] = ()


def projectors(models: Iterable[Model], connection: apsw.Connection, names: Mapping[str, str]) -> list[Projector]:
    """The projectors of some read models, writing to the tables that `names` chooses."""
    return [model.projector(model.rows(connection, names)) for model in models]


def readers(connection: apsw.Connection, names: Mapping[str, str]) -> Readers:
    """Every read port on one connection, reading the tables that `names` chooses."""
    return Readers(
        snapshot=SqliteSnapshots(connection),
        users=SqliteUsers(connection, names),
        graph=SqliteGraph(connection, names),
        tweets=SqliteTweets(connection, names),
        counts=SqliteCounts(connection, names),
        engagement=SqliteEngagement(connection, names),
        user_timelines=SqliteUserTimelines(connection, names),
        home_feed=SqliteHomeFeed(connection, names),
        public_timeline=SqlitePublicTimeline(connection, names),
        conversations=SqliteConversations(connection, names),
        hashtags=SqliteHashtags(connection, names),
        sessions=SqliteSessions(connection, names),
    )
