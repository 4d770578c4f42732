"""The event log: the port, and the types that its methods take and return.

A log has topics, a topic has partitions, a partition is a sequence of records without gaps. A record's first copy
stands after every record of the same entity (topic and key) that was appended before it; later copies of it may follow
anywhere. Records in different partitions have no guaranteed order.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping, Sequence
from functools import lru_cache
from typing import NamedTuple, Protocol

import msgspec

from .event import Envelope, Event

_POSITION = re.compile(r"([a-z][a-z-]*)-(\d{1,13}):(\d{1,13})", re.ASCII)
"""As many digits as an offset (40 bits) or the number of an outbox row can have; no sign, no spaces."""


class TopicPartition(NamedTuple):
    """One partition of one topic."""

    topic: str
    partition: int

    def __str__(self) -> str:
        return f"{self.topic}-{self.partition}"


class Positions(dict[TopicPartition, int]):
    """The position of a reader in each partition: the offset of its next record. A missing partition is at 0."""

    def covers(self, other: Mapping[TopicPartition, int]) -> bool:
        """Return whether a reader at these positions has read everything that a reader at `other` has."""
        return all(self.get(tp, 0) >= offset for tp, offset in other.items())

    def merged(self, other: Mapping[TopicPartition, int]) -> Positions:
        """Return the lowest positions that cover both."""
        merged = Positions(self)
        for tp, offset in other.items():
            merged[tp] = max(merged.get(tp, 0), offset)
        return merged

    def __str__(self) -> str:
        return ",".join(f"{tp}:{offset}" for tp, offset in sorted(self.items()) if offset)

    @classmethod
    def parse(cls, text: str) -> Positions:
        """Parse the form that `str` writes, `tweets-0:42,graph-0:7`. Raises ValueError."""
        positions = cls()
        for part in filter(None, text.split(",")):
            match = _POSITION.fullmatch(part)
            if match is None:
                raise ValueError(f"not a position: {part!r}; it looks like tweets-0:42")
            topic, partition, offset = match.groups()
            positions[TopicPartition(topic, int(partition))] = int(offset)
        return positions


def parse_place(text: str) -> tuple[TopicPartition, int]:
    """Parse a record's position, `tweets-3@42`, into partition and offset. Raises ValueError."""
    match = _POSITION.fullmatch(text.replace("@", ":"))
    if match is None or text.count("@") != 1:
        raise ValueError(f"not the position of a record: {text!r}; it looks like tweets-0@42")
    topic, partition, offset = match.groups()
    return TopicPartition(topic, int(partition)), int(offset)


_partition = lru_cache(maxsize=1024)(TopicPartition)
"""Making one takes three times as long as finding it."""

DAMAGED = "its checksum differs: the row is damaged"
"""The fault of a record whose bytes changed after they were appended."""


class Record(msgspec.Struct, frozen=True, gc=False):
    """An event with its position in the log.

    `event` is None if the key of its sealed fields is destroyed: processors skip the record. It is also None if the
    record cannot be read, and then `fault` says why. The `key`, `type` and `about` of such a record hold the fields
    that could be read; its id is empty if it could not be read. `type` and `version` are as written, before upcasting.
    """

    topic: str
    partition: int
    offset: int
    key: str
    type: str
    version: int
    event: Event | None
    about: Envelope
    fault: str = ""

    @property
    def place(self) -> TopicPartition:
        """The record's partition."""
        return _partition(self.topic, self.partition)

    @property
    def position(self) -> str:
        """The record's position as text: `tweets-3@42`."""
        return f"{self.topic}-{self.partition}@{self.offset}"

    def __str__(self) -> str:
        return f"{self.position} {self.type}"


class StoredRecord(NamedTuple):
    """A record as the log stores it: its metadata is decoded, its value is not. `fault` has the meaning of
    `Record.fault`.
    """

    topic: str
    partition: int
    offset: int
    key: str
    type: str
    version: int
    value: bytes
    about: Envelope
    fault: str = ""

    @property
    def place(self) -> TopicPartition:
        """The record's partition."""
        return _partition(self.topic, self.partition)

    @property
    def position(self) -> str:
        """The record's position as text: `tweets-3@42`."""
        return f"{self.topic}-{self.partition}@{self.offset}"


class New(NamedTuple):
    """An event to append, with its metadata."""

    event: Event
    about: Envelope


class CorruptLog(Exception):
    """The log is damaged. The message says where and what to do; reading and writing stop.

    `why` is the damage alone, for messages about a file that is repaired in another way than the log.
    """

    def __init__(self, message: str, why: str = "") -> None:
        super().__init__(message)
        self.why = why or message


class LogUnavailable(Exception):
    """The log cannot be written or read now (a full disk, a lost server). The failed call had no effect."""


class NotSetUp(Exception):
    """An engine answers, but it is not set up for this software, and waiting does not help. The message says what to
    do.
    """


class RecordReader(Protocol):
    """Reads the records that there are."""

    async def read(
        self, after: Mapping[TopicPartition, int], limit: int, topics: Iterable[str] | None = None
    ) -> list[Record]:
        """Return up to `limit` records from `after` on, each partition's in order, of all topics or of the given ones.

        A record that cannot be read is among the others and has a `fault`. Raises CorruptLog if the log has a hole,
        LogUnavailable.
        """
        ...

    async def ends(self) -> Positions:
        """Return the end of each partition: the offset of the next record to be appended."""
        ...


class StoredReader(Protocol):
    """Reads records without opening them, so it needs no keys."""

    async def read_stored(
        self, after: Mapping[TopicPartition, int], limit: int, topics: Iterable[str] | None = None
    ) -> list[StoredRecord]:
        """Return the same records as `RecordReader.read`, encoded and sealed. Raises CorruptLog, LogUnavailable."""
        ...


class LogReader(RecordReader, Protocol):
    """Reads records, and waits for new ones."""

    async def wait(self, after: Mapping[TopicPartition, int], timeout: float) -> bool:
        """Wait until there is a record past `after`; return False if there is none after `timeout` seconds."""
        ...


class EventLog(LogReader, Protocol):
    """Reads and appends. Every adapter must pass tests/contracts/test_event_log.py."""

    async def append(self, records: Sequence[New]) -> Positions:
        """Append all or nothing, durably, in order per entity; return the positions just past the records.

        If it raises LogUnavailable, nothing was appended. A log without transactions (events/kafka/log.py) guarantees
        this only for events that cannot be encoded: if it fails itself, it may hold some of them, and appending all
        again is safe.
        """
        ...


def positions_after(records: Iterable[Record], start: Mapping[TopicPartition, int] | None = None) -> Positions:
    """Return the positions of a reader at `start` after it has read `records`."""
    positions = Positions(start or {})
    next_offsets = {(record.topic, record.partition): record.offset + 1 for record in records}
    positions.update((TopicPartition(*place), offset) for place, offset in next_offsets.items())
    return positions


def lag(ends: Mapping[TopicPartition, int], positions: Mapping[TopicPartition, int]) -> int:
    """Return the number of records between `positions` and `ends`."""
    return sum(max(0, end - positions.get(tp, 0)) for tp, end in ends.items())


def by_partition(records: Iterable[Record]) -> dict[TopicPartition, list[Record]]:
    """Group the records by partition; their order within a partition stays."""
    groups: dict[TopicPartition, list[Record]] = {}
    for record in records:
        groups.setdefault(record.place, []).append(record)
    return groups
