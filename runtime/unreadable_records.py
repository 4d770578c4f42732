"""Finds the records that no version can read, so that an operator can discard all of them at once.

It reads the log from each group's position to the end: 100,000 records a second on Kafka. A readable record is never
among them, even if its handlers fail.
"""

from __future__ import annotations

from collections.abc import Callable, Collection, Iterable, Iterator, Mapping
from dataclasses import dataclass, field
from typing import NamedTuple, Protocol

from events.log import Positions, Record, RecordReader, TopicPartition, lag, positions_after
from events.operations import DeadLetterDiscarded
from runtime.dead_letter_policy import Place
from runtime.discards import Discards
from stores.dead_letters import DeadLetter

_BATCH = 5_000


class SearchableLog(RecordReader, Protocol):
    """Reads records, and single ones by their position."""

    async def at(self, place: TopicPartition, offset: int) -> Record | None:
        """Return the record at a position."""
        ...


class Standing(NamedTuple):
    """The state of a group: the source topics that it reads, its positions, and its dead letters."""

    topics: frozenset[str]
    positions: Positions
    letters: Collection[DeadLetter]


class UnreadableRecords(NamedTuple):
    """Unreadable records of one topic with the same kind of fault: their number, the first one, and its fault."""

    topic: str
    number: int
    first: str
    fault: str


@dataclass
class Unreadable:
    """Records that cannot be read, each with the groups that it stops or whose dead letter it is."""

    _records: dict[Place, Record] = field(default_factory=dict)
    _groups: dict[Place, set[str]] = field(default_factory=dict)

    def note(self, record: Record, group: str) -> None:
        """Add a record that stops a group, or that the group has set aside."""
        place = (record.place, record.offset)
        self._records.setdefault(place, record)
        self._groups.setdefault(place, set()).add(group)

    def __len__(self) -> int:
        return len(self._records)

    def by_group(self) -> dict[str, int]:
        """Return the number of records by group, without groups that have none."""
        names = sorted(set().union(*self._groups.values()))
        return {name: sum(name in groups for groups in self._groups.values()) for name in names}

    def kinds(self) -> list[UnreadableRecords]:
        """Return the records by topic and by the part of their fault before the colon."""
        found: dict[tuple[str, str], list[Record]] = {}
        for _, record in sorted(self._records.items()):
            found.setdefault((record.topic, record.fault.partition(":")[0]), []).append(record)
        return [UnreadableRecords(topic, len(of), of[0].position, of[0].fault) for (topic, _), of in found.items()]

    def discards(self) -> Iterator[DeadLetterDiscarded]:
        """Return the events that discard them: one for each record and group."""
        for place, record in sorted(self._records.items()):
            for group in sorted(self._groups[place]):
                yield DeadLetterDiscarded(position=record.position, group=group, type=record.type)


async def find_unreadable(
    log: SearchableLog, groups: Mapping[str, Standing], on_read: Callable[[int, int], None] = lambda read, of: None
) -> Unreadable:
    """Find the records that these groups cannot read: their dead letters, and all behind their positions.

    A discarded record is not found again, unless it is still a dead letter. `on_read` receives the number of records
    read and in total. Raises LogUnavailable, CorruptLog.
    """
    found, discards = Unreadable(), Discards()
    await discards.read(log)
    known = {(name, one.place, one.offset) for name, standing in groups.items() for one in standing.letters}
    for name, standing in groups.items():
        for letter in standing.letters:
            if letter.cause and letter.offset < standing.positions.get(letter.place, 0):
                record = await log.at(letter.place, letter.offset)
                if record is not None and record.fault:
                    found.note(record, name)
    topics = frozenset[str]().union(*(standing.topics for standing in groups.values()))
    ends = Positions((place, end) for place, end in (await log.ends()).items() if place.topic in topics)
    positions = Positions((place, _start(place, groups.values())) for place in ends)
    to_read = lag(ends, positions)
    on_read(0, to_read)
    while not positions.covers(ends):
        records = await log.read(positions, _BATCH, topics)
        positions = positions_after(records, positions)
        on_read(to_read - lag(ends, positions), to_read)
        for record in records:
            if not record.fault or record.offset >= ends.get(record.place, 0):
                continue
            for name, standing in groups.items():
                met = record.topic in standing.topics and record.offset >= standing.positions.get(record.place, 0)
                given_up = discards.of(name).has(record.place, record.offset)
                if met and (not given_up or (name, record.place, record.offset) in known):
                    found.note(record, name)
    return found


def _start(place: TopicPartition, groups: Iterable[Standing]) -> int:
    """Return the lowest position of the groups that read a partition."""
    return min(standing.positions.get(place, 0) for standing in groups if place.topic in standing.topics)
