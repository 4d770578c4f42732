"""The content of derived topics, to compare the records in Kafka with newly derived ones.

Copies do not count (law 4). In a compacted topic only the last record of each key counts, and a tombstone counts as
none; of `trends` only the newest ranking of each window, because the number of rankings depends on the batches.
"""

from __future__ import annotations

import hashlib
from collections.abc import Iterable, Mapping, Sequence
from pathlib import Path
from typing import Any, Protocol

import msgspec

from events.digest import unordered_digest
from events.event import Envelope
from events.kafka.log import KafkaLogReader
from events.kafka.records import TOMBSTONES
from events.log import LogUnavailable, Positions, StoredRecord, TopicPartition
from events.publishing import Outgoing
from events.sqlite.connection import connect
from events.topics import DERIVED, TOPICS

_BATCH = 5000
_DDL = """
CREATE TABLE said (topic INTEGER, name BLOB, id TEXT, content BLOB, PRIMARY KEY (topic, name)) WITHOUT ROWID
"""
_SAY = f"""
INSERT INTO said VALUES (?, ?, ?, ?) ON CONFLICT (topic, name) DO UPDATE SET id=excluded.id, content=excluded.content
WHERE excluded.id > id OR topic <> {TOPICS["trends"].number}
"""


class Said(Protocol):
    """A record of a derived topic, before or after publishing."""

    @property
    def topic(self) -> str: ...  # noqa: D102
    @property
    def key(self) -> str: ...  # noqa: D102
    @property
    def type(self) -> str: ...  # noqa: D102
    @property
    def version(self) -> int: ...  # noqa: D102
    @property
    def value(self) -> bytes: ...  # noqa: D102
    @property
    def about(self) -> Envelope: ...  # noqa: D102


class DerivedTopics:
    """The content of one side, in a file, because memory would not suffice: 60 bytes and 5 us a record."""

    def __init__(self, path: Path) -> None:
        self._connection = connect(path, durable=False)
        self._connection.execute("PRAGMA journal_mode=OFF")
        self._connection.execute(_DDL)

    async def publish(self, records: Sequence[Outgoing]) -> Positions:
        """Add records that a group derives while it is built: the Publisher port."""
        self.add(records)
        return Positions()

    def add(self, records: Iterable[Said]) -> None:
        """Add records, each key's in order."""
        with self._connection:
            self._connection.executemany(_SAY, map(_row, records))

    def add_unreadable(self, records: Iterable[StoredRecord]) -> None:
        """Add records that cannot be read, so that the topic differs from the log."""
        with self._connection:
            self._connection.executemany(_SAY, map(_unreadable_row, records))

    def digest(self, topic: str) -> tuple[int, int]:
        """Return the number of counted records of a topic, and a digest of them."""
        return unordered_digest(
            self._connection.execute(
                "SELECT name, content FROM said WHERE topic=? AND content IS NOT NULL", (TOPICS[topic].number,)
            )
        )

    def close(self) -> None:
        """Close the file."""
        self._connection.close()


def _row(record: Said) -> tuple[int, bytes, str, bytes | None]:
    number, key = TOPICS[record.topic].number, record.key.encode()
    if record.topic == "trends":
        items = _items(record.value)
        return number, key, record.about.id, _hash(items) if items else None
    content = _hash((record.key, record.type, record.version, record.value, msgspec.structs.astuple(record.about)))
    if record.topic == "public-tweets":
        return number, key, record.about.id, None if record.type in TOMBSTONES else content
    return number, content, record.about.id, content


def _unreadable_row(record: StoredRecord) -> tuple[int, bytes, str, bytes]:
    name = _hash((record.position, record.value))
    return TOPICS[record.topic].number, name, record.about.id, name


def _items(ranking: bytes) -> Any:
    """Return the items of a ranking; of a malformed one, the whole value."""
    try:
        return msgspec.json.decode(ranking)["items"]
    except (msgspec.MsgspecError, KeyError, TypeError):
        return ranking


def _hash(content: Any) -> bytes:
    return hashlib.blake2b(repr(content).encode(), digest_size=16).digest()


async def read_derived(log: KafkaLogReader, ends: Mapping[TopicPartition, int], into: DerivedTopics) -> None:
    """Read the derived topics up to `ends`. Raises LogUnavailable."""
    until = Positions((place, end) for place, end in ends.items() if place.topic in DERIVED)
    at = Positions()
    while not at.covers(until):
        records = await log.read_stored(at, _BATCH, DERIVED)
        if not records:
            # The last offsets of a compacted partition may have no records.
            if (await log.ends()).covers(until):
                return
            raise LogUnavailable(f"the derived topics should reach {until}")
        wanted = [record for record in records if record.offset < until.get(record.place, 0)]
        into.add(record for record in wanted if not record.fault)
        into.add_unreadable(record for record in wanted if record.fault)
        for record in records:
            at[record.place] = record.offset + 1
