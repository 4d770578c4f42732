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


class ProjectorEntry(NamedTuple):
    """A projector, and the group (stores/groups.py) that runs it in the embedded and in the distributed profile."""

    projector: type[Projector]
    embedded: str
    distributed: str


READ_MODELS: tuple[ProjectorEntry, ...] = (
    ProjectorEntry(Users, SERVING, TIMELINES),
    ProjectorEntry(Graph, SERVING, TIMELINES),
    ProjectorEntry(Tweets, SERVING, TIMELINES),
    ProjectorEntry(Counts, SERVING, COUNTS),
    ProjectorEntry(Engagement, SERVING, TIMELINES),
    ProjectorEntry(UserTimelines, SERVING, TIMELINES),
    ProjectorEntry(Conversations, SERVING, TIMELINES),
    ProjectorEntry(Hashtags, SERVING, TIMELINES),
    ProjectorEntry(Sessions, SERVING, TIMELINES),
    ProjectorEntry(Search, SERVING, SEARCH),
    ProjectorEntry(UserSearch, SERVING, SEARCH),
    ProjectorEntry(HashtagSearch, SERVING, SEARCH),
    ProjectorEntry(Notifications, SERVING, STREAMS),
    ProjectorEntry(Media, SERVING, TIMELINES),
    ProjectorEntry(Sentiment, ANALYTICS, STREAMS),
    ProjectorEntry(PublicTweets, ANALYTICS, STREAMS),
    ProjectorEntry(Trends, ANALYTICS, TRENDS),
)

ALL: tuple[type[Projector], ...] = tuple(listed.projector for listed in READ_MODELS)
SAY_AS_OF = frozenset(listed.projector.model for listed in READ_MODELS if listed.embedded == ANALYTICS)
"""Read models whose answers say `as_of`: no Consistency-Token is waited for."""
