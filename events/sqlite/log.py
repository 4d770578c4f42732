"""The EventLog port on SQLite: reading, waiting and appending on the table of records (records.py)."""

from __future__ import annotations

import asyncio
import contextlib
import heapq
import itertools
from collections.abc import Iterable, Mapping, Sequence

from ..event import BY_CLASS
from ..ids import HybridClock
from ..log import New, Positions, Record, StoredRecord, TopicPartition
from .group_commit import GroupCommit
from .records import LogTable, id_column
from .stored_rows import Row, stored_record


def _row_id(row: Row) -> bytes:
    return id_column(row[1])


class SqliteLogReader:
    """Reads the log from any process. `wait` polls every `poll_s` seconds; None if the owner calls `notify` instead."""

    def __init__(self, table: LogTable, poll_s: float | None = 0.02) -> None:
        self.table = table
        self._poll_s = poll_s
        self._event: asyncio.Event | None = None

    def notify(self) -> None:
        """Wake the callers of `wait`: records were appended."""
        if self._event is not None:
            self._event.set()

    async def ends(self) -> Positions:
        """Return the end of each partition."""
        return self.table.ends()

    async def read(
        self, after: Mapping[TopicPartition, int], limit: int, topics: Iterable[str] | None = None
    ) -> list[Record]:
        """Return up to `limit` records past `after`, merged by id, so that a batch is close to the order of events.

        No reader may depend on that order across entities (law 3), but it improves the locality of SQLite's pages and
        the order in feeds. Each partition gives a fair share. Records past the newest id of any full share are left for
        the next call, before they are decoded.
        """
        return self.table.decode(self._rows(after, limit, topics))

    async def read_stored(
        self, after: Mapping[TopicPartition, int], limit: int, topics: Iterable[str] | None = None
    ) -> list[StoredRecord]:
        """Return the same records as `read`, still encoded and sealed."""
        return [stored_record(row) for row in self._rows(after, limit, topics)]

    def _rows(self, after: Mapping[TopicPartition, int], limit: int, topics: Iterable[str] | None) -> list[Row]:
        wanted = None if topics is None else frozenset(topics)
        ends = self.table.ends()
        behind = [
            place
            for place, end in ends.items()
            if end > after.get(place, 0) and (wanted is None or place.topic in wanted)
        ]
        if not behind:
            return []
        share = max(1, limit // len(behind))
        runs = []
        for place in behind:
            start = after.get(place, 0)
            runs.append(self.table.rows(place, start, min(share, ends[place] - start)))
        if len(runs) == 1:
            return runs[0]
        horizon = min((max(map(_row_id, run)) for run in runs if len(run) == share), default=None)
        if horizon is not None:
            runs = [list(itertools.takewhile(lambda row: _row_id(row) <= horizon, run)) for run in runs]
        return list(heapq.merge(*runs, key=_row_id))

    async def wait(self, after: Mapping[TopicPartition, int], timeout: float) -> bool:
        """Wait until there is a record past `after`; return False if there is none after `timeout` seconds."""
        loop = asyncio.get_running_loop()
        deadline = loop.time() + timeout
        self._event = self._event or asyncio.Event()
        while True:
            self._event.clear()
            if any(end > after.get(place, 0) for place, end in self.table.ends().items()):
                return True
            remaining = deadline - loop.time()
            if remaining <= 0:
                return False
            # Not wait_for: in Python 3.11 it loses a cancellation that comes together with the event.
            with contextlib.suppress(TimeoutError):
                async with asyncio.timeout(min(remaining, self._poll_s or remaining)):
                    await self._event.wait()


class LogInserter:
    """Inserts records within the caller's transaction. Derived topics are written with it.

    It caches the ends of the partitions, and drops the cache when the connection rolls back.
    """

    def __init__(self, table: LogTable) -> None:
        self.table = table
        self._known: Positions | None = None
        self._kinds: set[tuple[str, int]] = set()
        table.check_ends()
        table.connection.set_rollback_hook(self._rolled_back, id=self)

    def _rolled_back(self) -> None:
        self._kinds = set()
        self._known = None  # a failing commit calls this in its own thread, so the ends are not read here

    def _ends(self) -> Positions:
        if self._known is None:
            self.table.keys.sealer.clear()  # it may hold keys of accounts whose registration was rolled back
            self._known = self.table.ends()
        return self._known

    def ends(self) -> Positions:
        """Return the end of each partition, including the records of the open transaction."""
        return Positions(self._ends())

    def end(self, topic: str, key: str) -> tuple[TopicPartition, int]:
        """Return the partition of an entity and its end."""
        place = TopicPartition(topic, self.table.partition(topic, key))
        return place, self._ends().get(place, 0)

    def insert(self, records: Sequence[New]) -> Positions:
        """Append within the open transaction; return the positions just past the records.

        Subjects' keys are fetched; the key of a new account is created.
        """
        positions = Positions()
        newest: dict[TopicPartition, str] = {}
        ends = self._ends()
        keys = self.table.keys
        for new in records:
            kind = BY_CLASS[type(new.event)]
            subject = self.table.codec.subject(new.event)
            if kind.opens_subject and subject is not None:
                keys.create(subject)
            elif subject is not None:
                keys.fetch((subject,))
            key = kind.key(new.event)
            place = TopicPartition(kind.topic, self.table.partition(kind.topic, key))
            offset = ends.get(place, 0)
            if (kind.name, kind.version) not in self._kinds:
                self.table.note_kind(kind)
                self._kinds.add((kind.name, kind.version))
            self.table.insert(place, offset, key, new)
            ends[place] = positions[place] = offset + 1
            newest[place] = max(newest.get(place, ""), new.about.id)
        self.table.move_ends(positions, newest)
        return positions


class SqliteLogWriter(LogInserter):
    """Appends to log.db through the GroupCommit that owns it. New ids are greater than the newest id in the log."""

    def __init__(self, table: LogTable, commits: GroupCommit, ids: HybridClock) -> None:
        super().__init__(table)
        self.commits = commits
        self.ids = ids
        newest = table.newest_id()
        if newest is not None:
            ids.observe(newest)

    async def append(self, records: Sequence[New]) -> Positions:
        """Append all or nothing, durably; return the positions just past the records. Raises LogUnavailable."""
        return await self.commits.run(lambda: self.insert(records))


class SqliteLog(SqliteLogReader):
    """The EventLog port, for the process that owns the file."""

    def __init__(self, writer: SqliteLogWriter, reader_table: LogTable) -> None:
        super().__init__(reader_table, poll_s=None)
        self.writer = writer
        writer.commits.on_commit.append(self.notify)

    async def append(self, records: Sequence[New]) -> Positions:
        """Append all or nothing, durably; return the positions just past the records. Raises LogUnavailable."""
        return await self.writer.append(records)
