"""Every stream there is, by the group that runs it: who looks for what derives a topic starts here."""

from __future__ import annotations

from .notifications import Notifications
from .public_tweets import PublicTweets
from .sentiment import Sentiment
from .stream import Stream
from .trends import Trends

SERVING: tuple[type[Stream], ...] = (Notifications,)
ANALYTICS: tuple[type[Stream], ...] = (Sentiment, PublicTweets, Trends)

ALL: tuple[type[Stream], ...] = SERVING + ANALYTICS
