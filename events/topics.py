"""The topics in the code. schemas/topics/*.yaml documents them; a test keeps both equal."""

from __future__ import annotations

from enum import Enum
from typing import NamedTuple


class TopicKind(Enum):
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
    kind: TopicKind


TOPICS: dict[str, Topic] = {
    topic.name: topic
    for topic in (
        Topic("accounts", 1, TopicKind.SOURCE),
        Topic("graph", 2, TopicKind.SOURCE),
        Topic("tweets", 3, TopicKind.SOURCE),
        Topic("engagement", 4, TopicKind.SOURCE),
        Topic("personal", 5, TopicKind.SOURCE),
        Topic("operations", 6, TopicKind.SOURCE),
        Topic("usage", 7, TopicKind.REPORTED),
        Topic("media", 8, TopicKind.SOURCE),
        Topic("public-tweets", 32, TopicKind.DERIVED),
        Topic("sentiment", 33, TopicKind.DERIVED),
        Topic("trends", 34, TopicKind.DERIVED),
        Topic("notifications", 35, TopicKind.DERIVED),
    )
}

KEYS = Topic("keys", 64, TopicKind.KEPT)
"""Wrapped keys and sealed passwords, stored here so that they survive their database (events/kept.py)."""
ON_KAFKA: dict[str, Topic] = {**TOPICS, KEYS.name: KEYS}

BY_NUMBER: dict[int, Topic] = {topic.number: topic for topic in TOPICS.values()}
LOGGED: tuple[str, ...] = tuple(t.name for t in TOPICS.values() if t.kind is not TopicKind.DERIVED)
DERIVED: tuple[str, ...] = tuple(t.name for t in TOPICS.values() if t.kind is TopicKind.DERIVED)
