"""The embedded profile for contract suites: log and command store. Tests control clock, disk and crashes."""

import asyncio
import random
import shutil
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from functools import partial
from pathlib import Path
from typing import Any

from apsw import Connection

from command_api.deciding import PrivateChange
from command_api.decision_snapshot import Snapshot
from command_api.decision_state import DecisionState
from command_api.sqlite.answers import SqliteAnswers
from command_api.sqlite.rebuild import live_snapshot
from command_api.sqlite.rows import SqliteDecisionRows, create_state_tables
from command_api.sqlite.store import SqliteCommandStore, create_idempotency_table
from events.ids import HybridClock, Millis
from events.sqlite.connection import connect
from events.sqlite.group_commit import OffLoop
from events.sqlite.stored_rows import checksum
from runtime.embedded.log_db import LogDb, log_table, open_reader
from runtime.embedded.log_inspection import LookingAtSqlite

START = Millis(1_790_000_000_000)
EMAIL_KEY = b"a key for addresses"
Note = tuple[str, Callable[[Any], tuple[str, ...]]]
"""A statement that a private change runs, and its values of the change."""


class Clock:
    """The wall clock, set by a test."""

    def __init__(self) -> None:
        self.now = START

    def __call__(self) -> Millis:
        return self.now


class Disk:
    """Run commits on the event loop. A test can hold them, make them fail, and read the disk before each."""

    def __init__(self) -> None:
        self.commits = 0
        self.failure: Exception | None = None
        self.before: Callable[[], object] = lambda: None
        self._open = asyncio.Event()
        self._open.set()
        self.waiting = asyncio.Event()

    def hold(self) -> None:
        """Make commits wait from now on."""
        self._open.clear()
        self.waiting.clear()

    def release(self) -> None:
        """Let commits continue."""
        self._open.set()

    async def __call__(self, work: Callable[[], object]) -> None:
        self.waiting.set()
        await self._open.wait()
        self.before()
        if self.failure is not None:
            raise self.failure
        self.commits += 1
        work()


class Embedded:
    """One data directory, opened by its owner. `also` are private changes and the tables they write."""

    keys_come_with_the_log = True
    """A subject's key is stored in the transaction that appends its first event."""

    def __init__(
        self,
        directory: Path,
        *,
        partitions: int = 1,
        clock: Clock | None = None,
        private: Mapping[type[PrivateChange], Note] | None = None,
        tables: tuple[str, ...] = (),
        off_loop: OffLoop | None = None,
    ) -> None:
        directory.mkdir(exist_ok=True)
        self.directory = directory
        self.clock = clock or Clock()
        self.disk = Disk()
        self.ids = HybridClock(self.clock, random.Random(7).randbytes)
        self._partitions, self._private, self._tables, self._off_loop = partitions, private or {}, tables, off_loop
        self.open()

    def open(self) -> None:
        """Open the directory, as at a start."""

        def prepare(connection: Connection) -> None:
            create_state_tables(connection)
            create_idempotency_table(connection)
            for table in self._tables:
                connection.execute(table)

        self.db = LogDb(
            self.directory,
            ids=self.ids,
            partitions=self._partitions,
            off_loop=self._off_loop or self.disk,
            timer=lambda: 0.0,
            prepare=(prepare,),
        )
        self.log = self.db.log
        self.store = SqliteCommandStore(
            self.db.commits,
            self.db.writer,
            SqliteAnswers(self.db.connection, EMAIL_KEY),
            DecisionState(SqliteDecisionRows(self.db.connection), EMAIL_KEY),
            {kind: partial(self._change, *how) for kind, how in self._private.items()},
            SqliteAnswers(self.db.read_connection, EMAIL_KEY),
        )

    def _change(self, sql: str, values: Callable[[Any], tuple[str, ...]], change: PrivateChange) -> None:
        self.db.connection.execute(sql, values(change))

    def select(self, query: str) -> list[tuple[Any, ...]]:
        """Return rows of the database."""
        return self.db.read_connection.execute(query).fetchall()

    async def tamper(self, statement: str) -> None:
        """Change the database directly."""
        await self._run(statement)

    async def close(self) -> None:
        await self.db.close()

    async def restart(self, *, clock: Clock | None = None) -> None:
        """Stop and start again, with another clock if one is given."""
        await self.close()
        self.clock = clock or self.clock
        self.ids = HybridClock(self.clock, random.Random(8).randbytes)
        self.disk = Disk()
        self.open()

    def elsewhere(self) -> LookingAtSqlite:
        """Return the log as another process reads it."""
        return LookingAtSqlite(open_reader(self.directory).table)

    def as_on_disk(self, to: Path) -> Path:
        """Return a copy of the files, as a process that is killed now would leave them."""
        shutil.copytree(self.directory, to)
        return to

    def snapshot(self) -> Snapshot:
        """Return positions and digest of the decision state, in one snapshot."""
        connection = connect(self.directory / "log.db", durable=True, read_only=True)
        try:
            return live_snapshot(log_table(connection, self.db.sealer))
        finally:
            connection.close()

    @contextmanager
    def full(self) -> Iterator[None]:
        """Make the disk full: it has no room for another page."""
        pages = self.db.connection.pragma("page_count")
        self.db.connection.pragma("max_page_count", pages)
        try:
            yield
        finally:
            self.db.connection.pragma("max_page_count", 1_000_000)

    @contextmanager
    def read_only(self) -> Iterator[None]:
        """Make the file read-only."""
        self.db.connection.pragma("query_only", True)
        try:
            yield
        finally:
            self.db.connection.pragma("query_only", False)

    async def destroy_key(self, subject: str) -> None:
        """Destroy a subject's key, as an erasure does."""
        await self._run("UPDATE subject_keys SET wrapped=NULL WHERE subject=?", subject)
        self.db.sealer.clear()

    async def lose_key(self, subject: str) -> None:
        """Remove a subject's key, as if the key store belonged to another log."""
        await self._run("DELETE FROM subject_keys WHERE subject=?", subject)
        self.db.sealer.clear()

    async def rewrite(self, type_: str, **columns: Any) -> None:
        """Change the records of a type, as if another version of the software had written them."""
        names = ("position", "id", "type", "version", "key", "time", "headers", "value")
        rows = self.db.connection.execute(f"SELECT {','.join(names)} FROM records WHERE type=?", (type_,)).fetchall()
        for row in rows:
            changed = tuple((dict(zip(names, row, strict=True)) | columns).values())
            await self._run("DELETE FROM records WHERE position=?", row[0])
            await self._run("INSERT INTO records VALUES (?,?,?,?,?,?,?,?,?)", *changed, checksum(changed))

    async def _run(self, statement: str, *bindings: Any) -> None:
        await self.db.commits.run(lambda: self.db.connection.execute(statement, bindings).fetchall())
