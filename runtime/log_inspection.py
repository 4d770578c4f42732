"""The log for `minitwitter events`, in both profiles."""

from __future__ import annotations

from collections import Counter
from collections.abc import Collection
from typing import Protocol

from events.ids import EventId
from events.log import LogReader, Record, StoredReader, TopicPartition


class Looking(LogReader, StoredReader, Protocol):
    """Reads, finds and counts events."""

    @property
    def places(self) -> Collection[TopicPartition]:
        """Return all partitions."""
        ...

    async def find(self, id_: EventId) -> Record | None:
        """Return the first record of an event. Raises LogUnavailable."""
        ...

    async def at(self, place: TopicPartition, offset: int) -> Record | None:
        """Return the record at a position. Raises LogUnavailable."""
        ...

    async def close(self) -> None:
        """Close the log."""
        ...


Counted = Counter[tuple[str, str]]
"""The number of events by topic and type."""
