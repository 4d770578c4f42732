"""The topics, as the code knows them. schemas/topics/*.yaml says the same to people, and a test holds the two equal."""

from __future__ import annotations

from enum import Enum
from typing import NamedTuple


class Kind(Enum):
    """Where a topic's events come from."""

    SOURCE = "source"
    """Decided by the command side (or done by operators): the truth, kept for ever."""
    REPORTED = "reported"
    """Reported by the query side; no decision reads it."""
    DERIVED = "derived"
    """A function of the source topics, derived again whenever it is rebuilt."""
    KEPT = "kept"
    """Beside the log: of each key the newest record is kept. It has no events."""


class Topic(NamedTuple):
    """A topic: `number` is its fixed place in positions, never reused."""

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
"""Keys and passwords, wrapped and sealed, so that they outlive the database that has them (events/kept.py)."""
ON_KAFKA: dict[str, Topic] = {**TOPICS, KEYS.name: KEYS}

BY_NUMBER: dict[int, Topic] = {topic.number: topic for topic in TOPICS.values()}
LOGGED: tuple[str, ...] = tuple(t.name for t in TOPICS.values() if t.kind is not Kind.DERIVED)
DERIVED: tuple[str, ...] = tuple(t.name for t in TOPICS.values() if t.kind is Kind.DERIVED)
