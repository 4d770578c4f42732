"""All projectors, with the group that runs each in each profile. Start here to find the handlers of an event.

The groups of both profiles, their topics, versions, digests, read ports and tests are derived from this list. The
adapters of a read model are found by its name: `MODEL` in stores/<engine>/<model>.py.
"""

from __future__ import annotations

from typing import NamedTuple

from stores.groups import ANALYTICS, COUNTS, SEARCH, SERVING, STREAMS, TIMELINES, TRENDS

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


class Listed(NamedTuple):
    """A projector, and the group (stores/groups.py) that runs it in the embedded and in the distributed profile."""

    projector: type[Projector]
    embedded: str
    distributed: str


READ_MODELS: tuple[Listed, ...] = (
    Listed(Users, SERVING, TIMELINES),
    Listed(Graph, SERVING, TIMELINES),
    Listed(Tweets, SERVING, TIMELINES),
    Listed(Counts, SERVING, COUNTS),
    Listed(Engagement, SERVING, TIMELINES),
    Listed(UserTimelines, SERVING, TIMELINES),
    Listed(Conversations, SERVING, TIMELINES),
    Listed(Hashtags, SERVING, TIMELINES),
    Listed(Sessions, SERVING, TIMELINES),
    Listed(Search, SERVING, SEARCH),
    Listed(UserSearch, SERVING, SEARCH),
    Listed(HashtagSearch, SERVING, SEARCH),
    Listed(Notifications, SERVING, STREAMS),
    Listed(Media, SERVING, TIMELINES),
    Listed(Sentiment, ANALYTICS, STREAMS),
    Listed(PublicTweets, ANALYTICS, STREAMS),
    Listed(Trends, ANALYTICS, TRENDS),
)

ALL: tuple[type[Projector], ...] = tuple(listed.projector for listed in READ_MODELS)
SAY_AS_OF = frozenset(listed.projector.model for listed in READ_MODELS if listed.embedded == ANALYTICS)
"""Read models whose answers say `as_of`: no Consistency-Token is waited for."""
