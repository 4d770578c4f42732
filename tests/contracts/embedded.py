"""The embedded profile as the contracts see it: a log and a command store whose clock, disk and crashes are ours."""

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
from events.sqlite.log import SqliteLogReader
from events.sqlite.stored_rows import checksum
from runtime.embedded.log_db import LogDb, log_table, open_reader

START = Millis(1_790_000_000_000)
EMAIL_KEY = b"a key for addresses"
Note = tuple[str, Callable[[Any], tuple[str, ...]]]
"""A statement that a private change runs, and its values of the change."""


class Clock:
    """The wall clock, which goes where a test sets it."""

    def __init__(self) -> None:
        self.now = START

    def __call__(self) -> Millis:
        return self.now


class Disk:
    """Runs commits on the loop; a test can hold them, make them fail, and look at what is on disk before each."""

    def __init__(self) -> None:
        self.commits = 0
        self.failure: Exception | None = None
        self.before: Callable[[], object] = lambda: None
        self._open = asyncio.Event()
        self._open.set()
        self.waiting = asyncio.Event()

    def hold(self) -> None:
        """From now on commits wait."""
        self._open.clear()
        self.waiting.clear()

    def release(self) -> None:
        """They go on."""
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
    """A subject's key is stored in the transaction that appends its beginning."""

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
        """Open it, as after a start."""

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
        """Rows of the database."""
        return self.db.read_connection.execute(query).fetchall()

    async def tamper(self, statement: str) -> None:
        """Change the database behind everybody's back."""
        await self._run(statement)

    async def close(self) -> None:
        await self.db.close()

    async def restart(self, *, clock: Clock | None = None) -> None:
        """Stop and start again, perhaps with another clock."""
        await self.close()
        self.clock = clock or self.clock
        self.ids = HybridClock(self.clock, random.Random(8).randbytes)
        self.disk = Disk()
        self.open()

    def elsewhere(self) -> SqliteLogReader:
        """The log as another process reads it."""
        return open_reader(self.directory)

    def as_on_disk(self, to: Path) -> Path:
        """What a process that is killed now would leave."""
        shutil.copytree(self.directory, to)
        return to

    def snapshot(self) -> Snapshot:
        """Positions and digest of the decision state, as of one commit."""
        connection = connect(self.directory / "log.db", durable=True, read_only=True)
        try:
            return live_snapshot(log_table(connection, self.db.sealer))
        finally:
            connection.close()

    @contextmanager
    def full(self) -> Iterator[None]:
        """The disk has no room for another page."""
        pages = self.db.connection.pragma("page_count")
        self.db.connection.pragma("max_page_count", pages)
        try:
            yield
        finally:
            self.db.connection.pragma("max_page_count", 1_000_000)

    @contextmanager
    def read_only(self) -> Iterator[None]:
        """The file cannot be written."""
        self.db.connection.pragma("query_only", True)
        try:
            yield
        finally:
            self.db.connection.pragma("query_only", False)

    async def destroy_key(self, subject: str) -> None:
        """What an erasure does to a subject's key."""
        await self._run("UPDATE subject_keys SET wrapped=NULL WHERE subject=?", subject)
        self.db.sealer.clear()

    async def lose_key(self, subject: str) -> None:
        """A key store that does not belong to this log."""
        await self._run("DELETE FROM subject_keys WHERE subject=?", subject)
        self.db.sealer.clear()

    async def rewrite(self, type_: str, **columns: Any) -> None:
        """Change the records of a type as another version of the software could have written them."""
        names = ("position", "id", "type", "version", "key", "time", "headers", "value")
        rows = self.db.connection.execute(f"SELECT {','.join(names)} FROM records WHERE type=?", (type_,)).fetchall()
        for row in rows:
            changed = tuple((dict(zip(names, row, strict=True)) | columns).values())
            await self._run("DELETE FROM records WHERE position=?", row[0])
            await self._run("INSERT INTO records VALUES (?,?,?,?,?,?,?,?,?)", *changed, checksum(changed))

    async def _run(self, statement: str, *bindings: Any) -> None:
        await self.db.commits.run(lambda: self.db.connection.execute(statement, bindings).fetchall())
