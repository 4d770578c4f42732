"""The topics in the code. schemas/topics/*.yaml documents them; a test keeps both equal."""

from __future__ import annotations

from enum import Enum
from typing import NamedTuple


class Kind(Enum):
    """The origin of a topic's events."""

    SOURCE = "source"
    """Events of commands and operators: the source of truth, kept for ever."""
    REPORTED = "reported"
    """Events that the query side reports. No decision reads them."""
    DERIVED = "derived"
    """Events computed from the source topics. A rebuild computes them again."""
    KEPT = "kept"
    """Not part of the log and without events: a compacted topic that keeps each key's newest record."""


class Topic(NamedTuple):
    """A topic. `number` is its part of a record's row id and is never reused."""

    name: str
    number: int
    kind: Kind


TOPICS: dict[str, Topic] = {
    topic.name: topic
    for topic in (
        Topic("accounts", 1, Kind.SOURCE),
        Topic("graph", 2, Kind.SOURCE),
        Topic("tweets", 3, Kind.SOURCE),
        Topic("engagement", 4, Kind.SOURCE),
        Topic("personal", 5, Kind.SOURCE),
        Topic("operations", 6, Kind.SOURCE),
        Topic("usage", 7, Kind.REPORTED),
        Topic("media", 8, Kind.SOURCE),
        Topic("public-tweets", 32, Kind.DERIVED),
        Topic("sentiment", 33, Kind.DERIVED),
        Topic("trends", 34, Kind.DERIVED),
        Topic("notifications", 35, Kind.DERIVED),
    )
}

KEYS = Topic("keys", 64, Kind.KEPT)
"""Wrapped keys and sealed passwords, stored here so that they survive their database (events/kept.py)."""
ON_KAFKA: dict[str, Topic] = {**TOPICS, KEYS.name: KEYS}

BY_NUMBER: dict[int, Topic] = {topic.number: topic for topic in TOPICS.values()}
LOGGED: tuple[str, ...] = tuple(t.name for t in TOPICS.values() if t.kind is not Kind.DERIVED)
DERIVED: tuple[str, ...] = tuple(t.name for t in TOPICS.values() if t.kind is Kind.DERIVED)
