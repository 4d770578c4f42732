"""All streams, with the group that runs each in each profile. Start here to find the stream of a derived topic."""

from __future__ import annotations

from typing import NamedTuple

from stores.groups import ANALYTICS, SERVING, STREAMS, TRENDS

from .notifications import Notifications
from .public_tweets import PublicTweets
from .sentiment import Sentiment
from .stream import Stream
from .trends import Trends


class Listed(NamedTuple):
    """A stream, and the group (stores/groups.py) that runs it in the embedded and in the distributed profile."""

    stream: type[Stream]
    embedded: str
    distributed: str


DERIVATIONS: tuple[Listed, ...] = (
    Listed(Notifications, SERVING, STREAMS),
    Listed(Sentiment, ANALYTICS, STREAMS),
    Listed(PublicTweets, ANALYTICS, STREAMS),
    Listed(Trends, ANALYTICS, TRENDS),
)

ALL: tuple[type[Stream], ...] = tuple(listed.stream for listed in DERIVATIONS)
