"""Finds subjects whose key is missing although the log has events that it sealed.

If an operator gives such a key up, it counts as destroyed in every process, and its sealed events count as erased.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable
from typing import NamedTuple

import msgspec

from events.codec import Codec
from events.event import BY_CLASS
from events.faults import parse

SEALED_TOPICS = frozenset(kind.topic for kind in BY_CLASS.values() if kind.sealed)
"""The topics with sealed events."""


class LostKey(msgspec.Struct, frozen=True):
    """A subject without a key, the number of events that the key sealed, and the position of the first."""

    subject: str
    events: int
    first: str


class Encoded(NamedTuple):
    """A stored record, not decoded. `position` is as people write it."""

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
        """Count the records of one batch and return their subjects. Records that cannot be read are skipped."""
        subjects = set()
        for record in records:
            parsed, _ = parse(self._codec, record.type, record.version, record.value, record.id)
            if parsed is not None and parsed.subject:
                events, first = self._found.get(parsed.subject, (0, record.position))
                self._found[parsed.subject] = events + 1, first
                subjects.add(parsed.subject)
        return subjects

    def forget(self, subjects: Iterable[str]) -> None:
        """Drop subjects whose keys exist."""
        for subject in subjects:
            self._found.pop(subject, None)

    def lost(self) -> list[LostKey]:
        """Return the subjects that are left."""
        return [LostKey(subject, events, first) for subject, (events, first) in sorted(self._found.items())]


Advance = Callable[[int], None]
"""Receives the number of records read since the last call."""
