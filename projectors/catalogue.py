"""Every projector there is, by the group that runs it: who looks for what handles an event starts here.

`SERVING` holds what honours Consistency-Tokens, `ANALYTICS` what answers with `as_of`.
"""

from __future__ import annotations

from .conversations import Conversations
from .counts import Counts
from .engagement import Engagement
from .graph import Graph
from .hashtag_search import HashtagSearch
from .hashtags import Hashtags
from .media import Media
from .notifications import Notifications
from .projector import Projector
from .public_tweets import PublicTweets
from .search import Search
from .sentiment import Sentiment
from .sessions import Sessions
from .trends import Trends
from .tweets import Tweets
from .user_search import UserSearch
from .user_timelines import UserTimelines
from .users import Users

SERVING: tuple[type[Projector], ...] = (
    Users,
    Graph,
    Tweets,
    Counts,
    Engagement,
    UserTimelines,
    Conversations,
    Hashtags,
    Sessions,
    Search,
    UserSearch,
    HashtagSearch,
    Notifications,
    Media,
)
ANALYTICS: tuple[type[Projector], ...] = (Sentiment, PublicTweets, Trends)

ALL: tuple[type[Projector], ...] = SERVING + ANALYTICS
