"""The log as people look at it with `minitwitter events`, in either profile."""

from __future__ import annotations

from collections import Counter
from collections.abc import Collection
from typing import Protocol

from events.ids import EventId
from events.log import LogReader, Record, TopicPartition


class Looking(LogReader, Protocol):
    """Reading the log, and finding and counting events in it."""

    @property
    def places(self) -> Collection[TopicPartition]:
        """The partitions there are."""
        ...

    async def find(self, id_: EventId) -> Record | None:
        """The first record of an event. Raises LogUnavailable."""
        ...

    async def at(self, place: TopicPartition, offset: int) -> Record | None:
        """The record at a position. Raises LogUnavailable."""
        ...

    async def close(self) -> None:
        """Let go of the log."""
        ...


Counted = Counter[tuple[str, str]]
"""How many events there are, by topic and type."""
