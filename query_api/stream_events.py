"""The data of stream events, by event name."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Literal

import msgspec

from rest import resources


class CountsMoved(msgspec.Struct, frozen=True):
    """The counters of a tweet of the feed changed."""

    tweet_id: str
    """The tweet."""
    counts: resources.Counts
    """Its current counters."""


class Deleted(msgspec.Struct, frozen=True):
    """A tweet of the feed was deleted."""

    tweet_id: str
    """The tweet."""


class RankedTag(msgspec.Struct, frozen=True):
    """A tag of a ranking."""

    tag: str
    """The folded tag, the key under which it is counted."""
    count: int
    """The number of tweets with it."""
    authors: int
    """The number of their authors."""
    expected: float
    """The expected number of authors."""
    score: float
    """How surprising the number of authors is, in nats."""


class Trending(msgspec.Struct, frozen=True):
    """The ranking of a window that ended."""

    window: str
    """The window, as `<length>/<end>`."""
    as_of: str
    """When it ended."""
    items: Sequence[RankedTag]
    """The tags, most surprising first."""


class Reset(msgspec.Struct, frozen=True):
    """The stream cannot deliver all events to this client: read the resources again."""

    reason: Literal["too long ago", "too slow"]
    """Why events are missing."""


EVENTS: Mapping[str, type[msgspec.Struct]] = {
    "tweet": resources.FeedItem,
    "tweet.edited": resources.Tweet,
    "tweet.deleted": Deleted,
    "notification": resources.Notification,
    "counts": CountsMoved,
    "trend": Trending,
}
"""The events of streams, with the type of each event's data."""
