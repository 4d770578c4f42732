"""All streams, with the group that runs each in each profile. Start here to find the stream of a derived topic."""

from __future__ import annotations

from typing import NamedTuple

from stores.groups import ANALYTICS, SERVING, STREAMS, TRENDS

from .notifications import Notifications
from .public_tweets import PublicTweets
from .sentiment import Sentiment
from .stream import Stream
from .trends import Trends


class StreamEntry(NamedTuple):
    """A stream, and the group (stores/groups.py) that runs it in the embedded and in the distributed profile."""

    stream: type[Stream]
    embedded: str
    distributed: str


DERIVATIONS: tuple[StreamEntry, ...] = (
    StreamEntry(Notifications, SERVING, STREAMS),
    StreamEntry(Sentiment, ANALYTICS, STREAMS),
    StreamEntry(PublicTweets, ANALYTICS, STREAMS),
    StreamEntry(Trends, ANALYTICS, TRENDS),
)

ALL: tuple[type[Stream], ...] = tuple(listed.stream for listed in DERIVATIONS)
