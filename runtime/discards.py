"""Dead letters that operators discarded: events of topic `operations`, which every group honours, live or rebuilt."""

from __future__ import annotations

from events.log import Positions, Record, RecordReader, TopicPartition, parse_place
from events.operations import DeadLetterDiscarded

TOPIC = "operations"
_BATCH = 500


class Discarded:
    """What one group skips: records by their place, and copies of their events by id."""

    def __init__(self) -> None:
        self._places: set[tuple[TopicPartition, int]] = set()
        self._events: set[tuple[str, str]] = set()

    def copy(self) -> Discarded:
        """The same, to go on from."""
        other = Discarded()
        other._places |= self._places
        other._events |= self._events
        return other

    def __bool__(self) -> bool:
        return bool(self._places)

    def add(self, position: str, event: str) -> None:
        """From now on this record is skipped."""
        place, offset = parse_place(position)
        self._places.add((place, offset))
        if event:
            self._events.add((place.topic, event))

    def places(self) -> frozenset[tuple[TopicPartition, int]]:
        """The partitions and offsets of the records that are skipped."""
        return frozenset(self._places)

    def has(self, place: TopicPartition, offset: int) -> bool:
        """Whether the record at a place is skipped."""
        return (place, offset) in self._places

    def covers(self, record: Record) -> bool:
        """Whether the record is skipped."""
        if (record.place, record.offset) in self._places:
            return True
        return not record.fault and (record.topic, record.about.id) in self._events


class Discards:
    """What each group skips, as the log says."""

    def __init__(self) -> None:
        self._groups: dict[str, Discarded] = {}
        self._positions = Positions()

    def of(self, group: str) -> Discarded:
        """What a group skips; it grows as discards are taken in."""
        return self._groups.setdefault(group, Discarded())

    def places(self) -> list[tuple[TopicPartition, int]]:
        """The partitions and offsets of the records that any group skips."""
        return sorted({place for group in self._groups.values() for place in group.places()})

    def take(self, event: DeadLetterDiscarded) -> None:
        """Take in a discard."""
        self.of(event.group).add(event.position, event.event)

    async def read(self, log: RecordReader) -> None:
        """Take in what was discarded since the last time. Raises what reading the log raises."""
        while records := await log.read(self._positions, _BATCH, (TOPIC,)):
            for record in records:
                self._positions[record.place] = record.offset + 1
                if isinstance(record.event, DeadLetterDiscarded):
                    self.take(record.event)
