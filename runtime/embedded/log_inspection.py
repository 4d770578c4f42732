"""The log of a data directory for `minitwitter events`, beside its owner or without one."""

from __future__ import annotations

from collections.abc import Collection

from events.ids import EventId
from events.log import Record, TopicPartition
from events.sqlite.log import SqliteLogReader
from events.sqlite.records import base
from runtime.embedded.log_db import open_reader, open_records
from runtime.log_inspection import Counted
from runtime.settings import Settings


class LookingAtSqlite(SqliteLogReader):
    """The Looking port on log.db."""

    @property
    def places(self) -> Collection[TopicPartition]:
        """Return all partitions."""
        return self.table.places

    async def find(self, id_: EventId) -> Record | None:
        """Return the first record of an event. Scans all rows, 0.3 us each."""
        return self.table.find(id_)

    async def at(self, place: TopicPartition, offset: int) -> Record | None:
        """Return the record at a position."""
        records = self.table.read(place, offset, 1)
        return records[0] if records and records[0].offset == offset else None

    async def close(self) -> None:
        """Close the file."""
        self.table.connection.close()


def looking(settings: Settings) -> LookingAtSqlite:
    """Open the log. Raises NoLog if there is none, MasterKeyMissing."""
    return LookingAtSqlite(open_reader(settings.data, settings.master_key_file).table)


def _shown(kind: object) -> str:
    """Return the type of records. A damaged type (no UTF-8) is decoded as far as possible, so that it is counted."""
    return kind.decode(errors="replace") if isinstance(kind, bytes) else str(kind)


def count(settings: Settings, topics: Collection[str] | None) -> Counted:
    """Count events without decoding them, so that no key is needed."""
    table = open_records(settings.data)
    counted = Counted()
    for place, end in table.ends().items():
        if topics is None or place.topic in topics:
            first = base(place)
            for kind, number in table.connection.execute(
                "SELECT CAST(type AS BLOB), count(*) FROM records WHERE position >= ? AND position < ?"
                " GROUP BY type ORDER BY type",
                (first, first + end),
            ):
                counted[place.topic, _shown(kind)] += int(str(number))
    return counted
