"""All read ports that the query API serves from, as one bundle: a consistent choice of read model generations."""

from __future__ import annotations

from dataclasses import dataclass

from .conversations import Conversations
from .counts import Counts
from .engagement import Engagement
from .graph import Graph
from .hashtags import Hashtags
from .home_feed import HomeFeed
from .public_timeline import PublicTimeline
from .sentiment import Sentiment
from .sessions import Sessions
from .snapshots import Snapshots
from .trends import Trends
from .tweets import Tweets
from .user_timelines import UserTimelines
from .users import Users


@dataclass(frozen=True, slots=True)
class Readers:
    """A field for each read port; runtime/ builds it and swaps it whole when a read model's generation changes."""

    snapshot: Snapshots
    users: Users
    graph: Graph
    tweets: Tweets
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
