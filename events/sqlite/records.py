"""The table of records of the SQLite log, clustered by topic, partition and offset.

A record's row id is `topic number << 56 | partition << 40 | offset`. So an append is an insert at the right edge of a
range, reading on is a range scan, and there is no second index: ids ascend within a partition, so an id is found by
binary search. Reading costs about 3 us a record, most of it decoding.

Every row has a checksum over all its columns, and the table `ends` stores each partition's end. So damaged, missing and
lost rows are detected and reported (tests/integration/test_log_files.py flips bits). A damaged row becomes a record
with a fault; a missing row is a hole, and reading stops there.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import apsw
import msgspec

from ..codec import Codec, ParsedEvent
from ..event import BY_CLASS, EventType
from ..faults import finish, one_line, parse
from ..ids import from_bytes, to_bytes
from ..log import DAMAGED, CorruptLog, LogUnavailable, New, Positions, Record, TopicPartition
from ..partitioning import partition_of
from ..sealing import SealBroken
from ..topics import BY_NUMBER, TOPICS
from ..validity import check, is_known
from .connection import UNAVAILABLE, IncompatibleData, corrupt
from .keys import SqliteKeys
from .stored_rows import (
    OFFSET_BITS,
    OFFSET_MASK,
    Row,
    checksum,
    encode_headers,
    envelope_of,
    plain_record,
    readable_part,
)

RECORDS_DDL = """
CREATE TABLE IF NOT EXISTS topics (
    topic TEXT PRIMARY KEY, number INTEGER NOT NULL UNIQUE, partitions INTEGER NOT NULL
) WITHOUT ROWID;
CREATE TABLE IF NOT EXISTS records (
    position INTEGER PRIMARY KEY,  -- topic number << 56 | partition << 40 | offset
    id BLOB NOT NULL, type TEXT NOT NULL, version INTEGER NOT NULL, key TEXT NOT NULL, time INTEGER NOT NULL,
    headers BLOB NOT NULL, value BLOB NOT NULL, checksum INTEGER NOT NULL
);
CREATE TABLE IF NOT EXISTS ends (  -- the end of each partition: lost records are detected, and ends are cheap to read
    place INTEGER PRIMARY KEY,  -- topic number << 16 | partition
    next INTEGER NOT NULL,
    newest BLOB NOT NULL  -- its greatest id: the last record may be a later copy of an older event
);
CREATE INDEX IF NOT EXISTS published ON records (key) WHERE type='TweetPublished';  -- to find a tweet to retract
"""
KINDS_DDL = """
CREATE TABLE kinds (  -- types ever written here: events of newer software are detected before a command is decided
    type TEXT, version INTEGER, PRIMARY KEY (type, version)
) WITHOUT ROWID;
INSERT INTO kinds SELECT DISTINCT type, version FROM records;
"""


def base(place: tuple[str, int]) -> int:
    """Return the row id of offset 0 of a partition."""
    return TOPICS[place[0]].number << 56 | place[1] << OFFSET_BITS


@dataclass(eq=False)  # not frozen: raising sets __traceback__
class WrongPartitions(Exception):
    """The topic was created with another number of partitions, and the number never changes."""

    topic: str
    has: int
    wanted: int

    def __str__(self) -> str:
        return f"topic {self.topic} has {self.has} partitions, the settings say {self.wanted}; the number never changes"


def create_topics(connection: apsw.Connection, names: Iterable[str], partitions: int) -> None:
    """Create the topics that are missing. Raises WrongPartitions."""
    connection.execute(RECORDS_DDL)
    if connection.execute("SELECT 1 FROM sqlite_schema WHERE name='kinds'").get is None:
        connection.execute(KINDS_DDL)
    existing = dict(connection.execute("SELECT topic, partitions FROM topics"))
    for name in names:
        has = existing.get(name)
        if has is None:
            connection.execute("INSERT INTO topics VALUES (?, ?, ?)", (name, TOPICS[name].number, partitions))
        elif has != partitions:
            raise WrongPartitions(name, has, partitions)


def _place(position: int) -> str:
    place = position >> OFFSET_BITS
    return f"{_partition(place) if place >> 16 in BY_NUMBER else place}@{position & OFFSET_MASK}"


def _partition(place: int) -> TopicPartition:
    return TopicPartition(BY_NUMBER[place >> 16].name, place & 0xFFFF)


def _hole(position: int) -> CorruptLog:
    return CorruptLog(f"{_place(position)} is missing: the log has a hole; restore it from a backup")


_PUBLISHED = (
    "SELECT position, id, time, headers FROM records WHERE key=? AND type='TweetPublished' AND position BETWEEN ? AND ?"
)
_ROWS = (
    "SELECT position, id, {type}, version, {key}, time, headers, value, checksum FROM records"
    " WHERE position >= ? AND position <= ? ORDER BY position LIMIT ?"
)


def _text(column: bytes | None) -> str | None:
    """Decode a text column. Bytes that are not UTF-8 give another text, which the checksum detects."""
    return None if column is None else column.decode(errors="replace")


def id_column(value: object) -> bytes:
    """Return the id of a row for comparisons; a damaged id sorts before all others."""
    return value if isinstance(value, bytes) else b""


class LogTable:
    """The table of records on one connection, shared by readers and writers. Each file has its own topics."""

    def __init__(self, connection: apsw.Connection, codec: Codec, keys: SqliteKeys) -> None:
        self.connection = connection
        self.codec = codec
        self.keys = keys
        self._partitions = self._topics()
        self.places = [TopicPartition(topic, n) for topic, number in self._partitions.items() for n in range(number)]

    def _topics(self) -> dict[str, int]:
        topics = dict(self._select("SELECT topic, partitions FROM topics ORDER BY number"))
        for topic, partitions in topics.items():
            if topic not in TOPICS or type(partitions) is not int:
                raise CorruptLog(f"topic {topic!r} is not known: the log is damaged, or of a newer minitwitter")
        return topics

    def ends(self) -> Positions:
        """Return the end of each partition, in one query of a few us. Raises CorruptLog, LogUnavailable."""
        try:
            return Positions(
                (_partition(place), int(end)) for place, end in self._select("SELECT place, next FROM ends")
            )
        except (KeyError, TypeError, ValueError) as error:
            raise corrupt(Path(self.connection.filename), error) from error

    def check_ends(self) -> None:
        """Raise CorruptLog if the last record of a partition is not just before the stored end."""
        ends = self.ends()
        for place in self.places:
            first = base(place)
            [(last,)] = self._select(
                "SELECT max(position) FROM records WHERE position BETWEEN ? AND ?", (first, first | OFFSET_MASK)
            )
            has, end = 0 if last is None else (last & OFFSET_MASK) + 1, ends.get(place, 0)
            if has != end:
                raise CorruptLog(f"{place} ends at {has} and should at {end}; restore the log from a backup")

    def check_kinds(self) -> None:
        """Raise IncompatibleData if the file has events that this version of the software does not know."""
        unknown = [f"{kind} version {number}" for kind, number in sorted(self.kinds()) if not is_known(kind, number)]
        if unknown:
            raise IncompatibleData(
                f"{self.connection.filename} has events that this minitwitter does not know: {', '.join(unknown)};"
                " a newer minitwitter wrote them, use that one or a newer one"
            )

    def kinds(self) -> set[tuple[str, int]]:
        """Return the types and versions of all events that were ever written here."""
        return {(str(kind), int(version)) for kind, version in self._select("SELECT type, version FROM kinds")}

    def note_kind(self, kind: EventType) -> None:
        """Store that an event of this type and version was written, in the open transaction."""
        self.connection.execute("INSERT OR IGNORE INTO kinds VALUES (?, ?)", (kind.name, kind.version))

    def _select(self, query: str, bindings: tuple[int | bytes | str, ...] = ()) -> list[Any]:
        with self._explained():
            return self.connection.execute(query, bindings).fetchall()

    @contextmanager
    def _explained(self) -> Iterator[None]:
        """Translate SQLite's errors into errors of the log: CorruptLog, LogUnavailable."""
        try:
            yield
        except (apsw.CorruptError, apsw.NotADBError, apsw.SQLError, UnicodeDecodeError) as error:
            raise corrupt(Path(self.connection.filename), error) from error
        except UNAVAILABLE as error:
            raise LogUnavailable(f"the log cannot be read: {error}") from error

    def _id(self, place: TopicPartition, offset: int) -> bytes:
        found = self._select("SELECT id FROM records WHERE position=?", (base(place) + offset,))
        if not found:
            raise _hole(base(place) + offset)
        return id_column(found[0][0])

    def id_before(self, place: TopicPartition, offset: int) -> str:
        """Return the id of the event just before a position; "" if it is damaged. Raises CorruptLog."""
        id_ = self._id(place, offset - 1)
        return from_bytes(id_) if len(id_) == 16 else ""

    def newest_id(self) -> str | None:
        """Return the greatest id of all records; new ids continue from it. The last record may be a copy with an older
        id.
        """
        [(newest,)] = self._select("SELECT max(newest) FROM ends")
        return from_bytes(newest) if newest else None

    def partition(self, topic: str, key: str) -> int:
        """Return the partition of a key."""
        return partition_of(key, self._partitions[topic])

    def insert(self, place: TopicPartition, offset: int, key: str, new: New) -> None:
        """Write one record in the caller's transaction; the sealer must have the subject's key. Raises InvalidEvent."""
        kind = BY_CLASS[type(new.event)]
        about = new.about
        check(new.event, about)
        value = self.codec.encode(new.event, about.id)
        headers = encode_headers(about)
        row = (
            base(place) + offset,
            to_bytes(about.id),
            kind.name,
            kind.version,
            key,
            about.time,
            headers,
            value,
        )
        self.connection.execute("INSERT INTO records VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?)", (*row, checksum(row)))
        if kind.name == "TweetRetracted":
            self._retract(place, row)

    def _retract(self, place: TopicPartition, tombstone: tuple[Any, ...]) -> None:
        """Replace the published versions of a tweet by its tombstone, as Kafka's compaction does: the text is erased.

        The log has no hole. A reader of the old records reads the tombstone early.
        """
        _, _, kind, version, key, _, _, value = tombstone
        found = self._select(_PUBLISHED, (key, base(place), base(place) | OFFSET_MASK))
        for position, id_, time, headers in found:
            row = (position, id_, kind, version, key, time, headers, value)
            self.connection.execute("REPLACE INTO records VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?)", (*row, checksum(row)))

    def move_ends(self, ends: Positions, newest: Mapping[TopicPartition, str]) -> None:
        """Store the new ends of partitions and the greatest of their new ids, in the same transaction."""
        for place, end in ends.items():
            self.connection.execute(
                "INSERT INTO ends VALUES (?, ?, ?)"
                " ON CONFLICT DO UPDATE SET next=excluded.next, newest=max(newest, excluded.newest)",
                (base(place) >> OFFSET_BITS, end, to_bytes(newest[place])),
            )

    def rows(self, place: TopicPartition, after: int, number: int) -> list[Row]:
        """Return `number` stored rows of one partition from an offset on. Raises CorruptLog if one is missing."""
        start = base(place) + after
        bounds = (start, base(place) | OFFSET_MASK, number)
        try:
            rows: list[Row] = self._select(_ROWS.format(type="type", key="key"), bounds)
        except CorruptLog as error:
            if not isinstance(error.__cause__, UnicodeDecodeError):
                raise
            found = self._select(_ROWS.format(type="CAST(type AS BLOB)", key="CAST(key AS BLOB)"), bounds)
            rows = [tuple(_text(column) if n in (2, 4) else column for n, column in enumerate(row)) for row in found]  # type: ignore[misc]
        if len(rows) < number or rows[-1][0] - start + 1 != number:
            raise _hole(next((n for n, row in enumerate(rows, start) if row[0] != n), start + len(rows)))
        # No row is missing, so a row with another position is damaged. With the right one, its checksum fails.
        return [row if row[0] == n else (n, *row[1:]) for n, row in enumerate(rows, start)]

    def decode(self, rows: list[Row]) -> list[Record]:
        """Decode stored rows; the keys for all of them are fetched at once. Raises CorruptLog, LogUnavailable."""
        plain = [plain_record(row) for row in rows]
        steps = [None if record else self._begin(row) for row, record in zip(rows, plain, strict=True)]
        with self._explained():
            broken = self._fetch({step.subject for step in steps if isinstance(step, ParsedEvent) and step.subject})
        records = [
            record or self._record(row, step or "", broken)
            for row, record, step in zip(rows, plain, steps, strict=True)
        ]
        self.keys.sealer.trim()
        return records

    def _begin(self, row: Row) -> ParsedEvent | str:
        """Decode the part of a row that needs no key, or return the fault."""
        try:
            intact = checksum(row) == row[8]
        except (TypeError, AttributeError, ValueError):  # damage has changed the type of a column
            intact = False
        if not intact:
            return DAMAGED
        parsed, fault = parse(self.codec, row[2], row[3], row[7], from_bytes(row[1]))
        return parsed or fault

    def _fetch(self, subjects: set[str]) -> dict[str, str]:
        """Give the sealer the subjects' keys. Return a fault for each subject whose stored key does not open."""
        broken: dict[str, str] = {}
        try:
            self.keys.fetch(subjects)
        except SealBroken:
            for subject in subjects:
                try:
                    self.keys.fetch((subject,))
                except SealBroken as error:
                    broken[subject] = one_line(error)
        return broken

    def _record(self, row: Row, step: ParsedEvent | str, broken: Mapping[str, str]) -> Record:
        number = row[0]
        topic, partition, offset = BY_NUMBER[number >> 56].name, number >> OFFSET_BITS & 0xFFFF, number & OFFSET_MASK
        if isinstance(step, str):
            return Record(topic, partition, offset, *readable_part(row), step)
        event = None
        try:
            about = envelope_of(row)
        except msgspec.MsgspecError as error:
            return Record(topic, partition, offset, *readable_part(row), one_line(error))
        fault = broken.get(step.subject or "", "")
        if not fault:
            event, fault = finish(self.codec, step, topic, row[4], about)
        return Record(topic, partition, offset, row[4], row[2], row[3], event, about, fault)

    def read(self, place: TopicPartition, after: int, limit: int) -> list[Record]:
        """Return up to `limit` records of one partition from an offset on. Raises CorruptLog, LogUnavailable."""
        left = self.ends().get(place, 0) - after
        return self.decode(self.rows(place, after, min(limit, left))) if left > 0 else []

    def find(self, id_: str) -> Record | None:
        """Find an event by its id: by binary search in each partition, or by a scan if later copies break the order of
        ids.
        """
        wanted = to_bytes(id_)
        for place, end in self.ends().items():
            low, high = 0, end
            while low < high:
                middle = (low + high) // 2
                low, high = (middle + 1, high) if self._id(place, middle) < wanted else (low, middle)
            records = self.read(place, low, 1)
            if records and records[0].about.id == id_:
                return records[0]
        [(position,)] = self._select("SELECT min(position) FROM records WHERE id=?", (wanted,))
        if position is None:
            return None
        return self.read(_partition(position >> OFFSET_BITS), position & OFFSET_MASK, 1)[0]
