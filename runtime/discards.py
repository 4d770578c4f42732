"""The dead letters that operators discarded: events of the topic `operations`. Every group skips them, also in a
rebuild.
"""

from __future__ import annotations

from events.log import Positions, Record, RecordReader, TopicPartition, parse_place
from events.operations import DeadLetterDiscarded

TOPIC = "operations"
_BATCH = 500


class Discarded:
    """The records that one group skips, by position, and their copies, by event id."""

    def __init__(self) -> None:
        self._places: set[tuple[TopicPartition, int]] = set()
        self._events: set[tuple[str, str]] = set()

    def copy(self) -> Discarded:
        """Return a copy that can grow independently."""
        other = Discarded()
        other._places |= self._places
        other._events |= self._events
        return other

    def __bool__(self) -> bool:
        return bool(self._places)

    def add(self, position: str, event: str) -> None:
        """Skip this record from now on."""
        place, offset = parse_place(position)
        self._places.add((place, offset))
        if event:
            self._events.add((place.topic, event))

    def places(self) -> frozenset[tuple[TopicPartition, int]]:
        """Return the partitions and offsets of the skipped records."""
        return frozenset(self._places)

    def has(self, place: TopicPartition, offset: int) -> bool:
        """Return whether the record at a position is skipped."""
        return (place, offset) in self._places

    def covers(self, record: Record) -> bool:
        """Return whether the record is skipped."""
        if (record.place, record.offset) in self._places:
            return True
        return not record.fault and (record.topic, record.about.id) in self._events


class Discards:
    """The records that each group skips, read from the log."""

    def __init__(self) -> None:
        self._groups: dict[str, Discarded] = {}
        self._positions = Positions()

    def of(self, group: str) -> Discarded:
        """Return the records that a group skips. The object grows when more discards are read."""
        return self._groups.setdefault(group, Discarded())

    def places(self) -> list[tuple[TopicPartition, int]]:
        """Return the partitions and offsets of the records that any group skips."""
        return sorted({place for group in self._groups.values() for place in group.places()})

    def take(self, event: DeadLetterDiscarded) -> None:
        """Add a discard."""
        self.of(event.group).add(event.position, event.event)

    async def read(self, log: RecordReader) -> None:
        """Read the discards since the last call. Raises the log's errors."""
        while records := await log.read(self._positions, _BATCH, (TOPIC,)):
            for record in records:
                self._positions[record.place] = record.offset + 1
                if isinstance(record.event, DeadLetterDiscarded):
                    self.take(record.event)
