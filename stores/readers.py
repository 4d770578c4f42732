"""The bundle of all read ports of the query API: one consistent choice of generations."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, fields

from .conversations import Conversations
from .counts import Counts
from .engagement import Engagement
from .graph import Graph
from .hashtag_search import HashtagSearch
from .hashtags import Hashtags
from .home_feed import HomeFeed
from .media import Media
from .notifications import Notifications
from .public_timeline import PublicTimeline
from .recommendations import Recommendations
from .search import Search
from .sentiment import Sentiment
from .sessions import Sessions
from .shown_tweets import ShownTweets
from .snapshots import Snapshots
from .trends import Trends
from .tweets import Tweets
from .user_search import UserSearch
from .user_timelines import UserTimelines
from .users import Users


@dataclass(frozen=True, slots=True)
class Readers:
    """The adapter of each read port. runtime/ builds the bundle, and replaces it whole when a generation changes."""

    snapshot: Snapshots
    users: Users
    graph: Graph
    tweets: Tweets
    shown_tweets: ShownTweets
    counts: Counts
    engagement: Engagement
    user_timelines: UserTimelines
    home_feed: HomeFeed
    public_timeline: PublicTimeline
    conversations: Conversations
    hashtags: Hashtags
    sessions: Sessions
    sentiment: Sentiment
    trends: Trends
    search: Search
    user_search: UserSearch
    hashtag_search: HashtagSearch
    notifications: Notifications
    recommendations: Recommendations
    media: Media


READ_PORTS = frozenset(field.name for field in fields(Readers)) - {"snapshot"}
"""The names of read ports that a route may declare."""
_COMPOSED: Mapping[str, tuple[str, ...]] = {
    "home_feed": ("graph", "user_timelines"),
    "public_timeline": ("tweets",),
    "recommendations": ("users", "graph", "counts"),
    "shown_tweets": ("tweets", "users", "graph", "counts", "engagement", "sentiment"),
}


def models_of(port: str) -> tuple[str, ...]:
    """Return the read models that a port reads: the one of the same name, or several for a composed port."""
    return _COMPOSED.get(port, (port,))
