"""What the events of streams say, each by its name."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Literal

import msgspec

from rest import resources


class CountsMoved(msgspec.Struct, frozen=True):
    """Others did something with a tweet of the feed."""

    tweet_id: str
    """The tweet."""
    counts: resources.Counts
    """Its counts now."""


class Deleted(msgspec.Struct, frozen=True):
    """A tweet of the feed is gone."""

    tweet_id: str
    """The tweet."""


class RankedTag(msgspec.Struct, frozen=True):
    """A tag of a ranking."""

    tag: str
    """The key under which it is counted: folded."""
    count: int
    """In how many tweets it is."""
    authors: int
    """By how many people."""
    expected: float
    """What was to be expected of it, in authors."""
    score: float
    """How surprising it is that it has more, in nats."""


class Trending(msgspec.Struct, frozen=True):
    """The ranking of a window that ended."""

    window: str
    """Which window ended."""
    as_of: str
    """When it ended."""
    items: Sequence[RankedTag]
    """The tags, the most surprising first."""


class Reset(msgspec.Struct, frozen=True):
    """More happened than is kept for a client: read anew."""

    reason: Literal["too long ago", "too slow"]
    """Why."""


EVENTS: Mapping[str, type[msgspec.Struct]] = {
    "tweet": resources.FeedItem,
    "tweet.edited": resources.Tweet,
    "tweet.deleted": Deleted,
    "notification": resources.Notification,
    "counts": CountsMoved,
    "trend": Trending,
}
"""What streams tell, and the shape of each one's data."""
