"""The event log: the port, and what travels through it.

A log has topics, a topic has partitions, a partition is a sequence of records without gaps. A record's first copy
stands after every record of the same entity (topic and key) that was appended before it; later copies of it may
follow anywhere. Nothing is promised about the order of records in different partitions.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator, Mapping, Sequence
from typing import NamedTuple, Protocol

import msgspec

from .event import Envelope, Event

_POSITION = re.compile(r"([a-z][a-z-]*)-(\d{1,13}):(\d{1,13})", re.ASCII)
"""Of no more digits than an offset (40 bits) or the number of an outbox row can have; no sign, no spaces."""


class TopicPartition(NamedTuple):
    """One partition of one topic."""

    topic: str
    partition: int

    def __str__(self) -> str:
        return f"{self.topic}-{self.partition}"


class Positions(dict[TopicPartition, int]):
    """How far each partition has been read: the offset of the next record. A missing partition is at 0."""

    def covers(self, other: Mapping[TopicPartition, int]) -> bool:
        """Whether everything read at `other` has been read here."""
        return all(self.get(tp, 0) >= offset for tp, offset in other.items())

    def merged(self, other: Mapping[TopicPartition, int]) -> Positions:
        """The lowest positions that cover both."""
        merged = Positions(self)
        for tp, offset in other.items():
            merged[tp] = max(merged.get(tp, 0), offset)
        return merged

    def __str__(self) -> str:
        return ",".join(f"{tp}:{offset}" for tp, offset in sorted(self.items()) if offset)

    @classmethod
    def parse(cls, text: str) -> Positions:
        """The inverse of `str`. Raises ValueError where the text is no such thing."""
        positions = cls()
        for part in filter(None, text.split(",")):
            match = _POSITION.fullmatch(part)
            if match is None:
                raise ValueError(f"not a position: {part!r}; it looks like tweets-0:42")
            topic, partition, offset = match.groups()
            positions[TopicPartition(topic, int(partition))] = int(offset)
        return positions


def parse_place(text: str) -> tuple[TopicPartition, int]:
    """Partition and offset of a record from `tweets-3@42`. Raises ValueError where the text is no such thing."""
    match = _POSITION.fullmatch(text.replace("@", ":"))
    if match is None or text.count("@") != 1:
        raise ValueError(f"not the place of a record: {text!r}; it looks like tweets-0@42")
    topic, partition, offset = match.groups()
    return TopicPartition(topic, int(partition)), int(offset)


DAMAGED = "its checksum differs: the row is damaged"
"""The fault of a record that is not what was appended."""


class Record(msgspec.Struct, frozen=True, gc=False):
    """An event where it stands in the log.

    `event` is None where the key of its sealed fields is destroyed: there is nothing left to read, and processors
    skip it. It is None as well where the record cannot be read, and then `fault` says why; such a record has of `key`,
    `type` and `about` what could be read, and an empty id where it has none. `type` and `version` are as written,
    before upcasting.
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
        """The partition it stands in."""
        return TopicPartition(self.topic, self.partition)

    @property
    def position(self) -> str:
        """Where it stands, as people write it: `tweets-3@42`."""
        return f"{self.topic}-{self.partition}@{self.offset}"

    def __str__(self) -> str:
        return f"{self.position} {self.type}"


class New(NamedTuple):
    """An event to append, with what is known about it."""

    event: Event
    about: Envelope


class CorruptLog(Exception):
    """The log cannot be trusted: it says where and what to do, and nothing more is read or written.

    `why` is what was found alone, for a file that is mended in another way than the log.
    """

    def __init__(self, message: str, why: str = "") -> None:
        super().__init__(message)
        self.why = why or message


class LogUnavailable(Exception):
    """The log cannot be written or read now (a full disk, a lost server); nothing of the call took effect."""


class NotSetUp(Exception):
    """An engine answers, but is not what this software needs; waiting does not mend it. The message says what to do."""


class LogReader(Protocol):
    """Reading from topics."""

    async def read(
        self, after: Mapping[TopicPartition, int], limit: int, topics: Iterable[str] | None = None
    ) -> list[Record]:
        """Up to `limit` records from `after` on, each partition's in order, of all topics or of those named.

        A record that cannot be read is answered with its `fault`, among the others. Raises CorruptLog where the log
        has a hole, LogUnavailable.
        """
        ...

    async def ends(self) -> Positions:
        """Where each partition ends now."""
        ...

    async def wait(self, after: Mapping[TopicPartition, int], timeout: float) -> bool:
        """Wait until there is something past `after`, `timeout` seconds at most; whether there is."""
        ...


class EventLog(LogReader, Protocol):
    """Reading and appending. tests/contracts/test_event_log.py is what every adapter must pass."""

    async def append(self, records: Sequence[New]) -> Positions:
        """Append all or nothing, durably, in order per entity; answers the positions just past them.

        Raises LogUnavailable; then nothing was appended. A log without transactions (events/kafka/log.py) keeps that
        for events that cannot be encoded; when it fails itself some may stand there, and appending all again is safe.
        """
        ...


def positions_after(records: Iterable[Record], start: Mapping[TopicPartition, int] | None = None) -> Positions:
    """The positions once `records` have been read from `start`."""
    positions = Positions(start or {})
    for record in records:
        positions[TopicPartition(record.topic, record.partition)] = record.offset + 1
    return positions


def lag(ends: Mapping[TopicPartition, int], positions: Mapping[TopicPartition, int]) -> int:
    """How many records lie between `positions` and `ends`."""
    return sum(max(0, end - positions.get(tp, 0)) for tp, end in ends.items())


def by_partition(records: Iterable[Record]) -> Iterator[tuple[TopicPartition, list[Record]]]:
    """The records grouped by partition, order kept."""
    groups: dict[TopicPartition, list[Record]] = {}
    for record in records:
        groups.setdefault(record.place, []).append(record)
    return iter(groups.items())
