"""Subjects whose key is lost though the log has events that it sealed: found by reading the log.

Once an operator has given one up its key is destroyed for every process, and what it sealed counts as erased.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable
from typing import NamedTuple

import msgspec

from events.codec import Codec
from events.event import BY_CLASS
from events.faults import parse

SEALED_TOPICS = frozenset(kind.topic for kind in BY_CLASS.values() if kind.sealed)
"""The topics whose events may be sealed."""


class LostKey(msgspec.Struct, frozen=True):
    """A subject, how many events its key sealed, and where the first one stands."""

    subject: str
    events: int
    first: str


class Encoded(NamedTuple):
    """A record of the log as it is stored. `position` is as people write it."""

    position: str
    type: str
    version: int
    value: bytes
    id: str


class Sealed:
    """Counts the events that each subject's key sealed."""

    def __init__(self, codec: Codec) -> None:
        self._codec = codec
        self._found: dict[str, tuple[int, str]] = {}

    def add(self, records: Iterable[Encoded]) -> set[str]:
        """Count records of one batch; the subjects among them. Records that cannot be read seal nothing."""
        subjects = set()
        for record in records:
            parsed, _ = parse(self._codec, record.type, record.version, record.value, record.id)
            if parsed is not None and parsed.subject:
                events, first = self._found.get(parsed.subject, (0, record.position))
                self._found[parsed.subject] = events + 1, first
                subjects.add(parsed.subject)
        return subjects

    def forget(self, subjects: Iterable[str]) -> None:
        """Drop subjects whose keys are there."""
        for subject in subjects:
            self._found.pop(subject, None)

    def lost(self) -> list[LostKey]:
        """What is left."""
        return [LostKey(subject, events, first) for subject, (events, first) in sorted(self._found.items())]


Advance = Callable[[int], None]
"""Told how many more records were read."""
