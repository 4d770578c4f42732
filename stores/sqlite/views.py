"""views.db: the tables of the read models, each in generations, and the positions they reflect.

The names of a read model's tables end with the number of its generation (`tweets_3`). A rebuild fills the tables of the
next generation beside the current ones. One changed number makes it current, so no reader sees a half-built model. SQL
is written with plain names in braces and formatted with the `names` of a generation.
"""

from __future__ import annotations

import hashlib
import time
from collections.abc import Generator, Iterable, Mapping
from dataclasses import dataclass, field, replace
from pathlib import Path
from shlex import quote
from typing import Any

import apsw

from events.digest import finished, unordered_digest_steps
from events.fitting import Mark, Marks
from events.ids import from_bytes
from events.log import CorruptLog, TopicPartition
from events.sqlite.connection import claim, connect, is_begun, mark

from .buffered import BufferedConnection
from .damage import ViewsConnection as Connection
from .damage import ViewsDamaged
from .dead_letters import DDL as DEAD_LETTERS_DDL

SCHEMA_VERSION = 2

_DDL = """
CREATE TABLE IF NOT EXISTS models (
    model TEXT PRIMARY KEY, generation INTEGER NOT NULL, version INTEGER NOT NULL
) WITHOUT ROWID;
CREATE TABLE IF NOT EXISTS positions (
    consumers TEXT, topic TEXT, partition INTEGER, next INTEGER NOT NULL,
    last BLOB,  -- the event just before `next`; NULL where the position was passed over, or noted by older software
    PRIMARY KEY (consumers, topic, partition)
) WITHOUT ROWID;
CREATE TABLE IF NOT EXISTS newest (
    consumers TEXT, topic INTEGER, key TEXT, id BLOB NOT NULL, PRIMARY KEY (consumers, topic, key)
) WITHOUT ROWID;
CREATE TABLE IF NOT EXISTS log (identity TEXT NOT NULL);  -- of the log that all this is made from
"""
_SCRATCH = """
PRAGMA journal_mode=MEMORY; PRAGMA synchronous=OFF; PRAGMA locking_mode=EXCLUSIVE; PRAGMA secure_delete=OFF"""
MAPPED_MIB = 32
"""The memory-mapped part of views.db in a process that only reads it."""
LOOK_S = 1.0
_LOOK_AT_START_S = 0.25
_STEPS = 1000


@dataclass(frozen=True)
class Tables:
    """The tables of one read model: for each its columns and constraints, and indexes over them.

    `digests` has the query to compare a table by, if `SELECT *` does not give its meaning (a full-text index, a
    surrogate row id). None leaves the table out, since all its rows are in another.

    A rebuild creates `indexes` after the rows are written. It creates `write_indexes`, which handlers use, before.
    `indexed` has the statement that puts a row of a table into a full-text index.
    """

    model: str
    version: int
    tables: Mapping[str, str]
    indexes: tuple[str, ...] = ()
    write_indexes: tuple[str, ...] = ()
    digests: Mapping[str, str | None] = field(default_factory=dict)
    indexed: Mapping[str, str] = field(default_factory=dict)

    def names(self, generation: int) -> dict[str, str]:
        """Return the table names of a generation, by plain names."""
        return {table: f"{table}_{generation}" for table in self.tables}

    def plain(self) -> tuple[str, ...]:
        """Return the tables that are not virtual. They have all rows from which the virtual ones are built."""
        return tuple(table for table, columns in self.tables.items() if not _is_virtual(columns))

    def to_fill(self) -> Tables:
        """Return the part of the model that handlers need for writing."""
        return replace(self, tables={table: self.tables[table] for table in self.plain()}, indexes=())


def _is_virtual(columns: str) -> bool:
    return columns.lstrip().startswith("USING")


class NoViews(Exception):
    """A data directory has no views.db, or an unfinished one, so there are no read models to report on."""

    def __init__(self, directory: Path) -> None:
        super().__init__(
            f"{directory} has no read models now: a server that runs there makes them within seconds;"
            f" where none runs, the next `minitwitter serve --data {quote(str(directory))}` makes them anew from"
            " the log"
        )


class Views:
    """views.db, opened with the `models` that this software knows. Every use of `connection` may raise ViewsDamaged.

    The process that writes to it first looks for damage, for a moment (`look`).
    """

    def __init__(
        self, path: Path, models: Iterable[Tables], *, read_only: bool = False, kind: type[Connection] = Connection
    ) -> None:
        self.path = path
        self.models = {tables.model: tables for tables in models}
        try:
            self.connection = connect(
                path,
                durable=False,
                read_only=read_only,
                cache_mib=32,
                mmap_mib=MAPPED_MIB if read_only else 0,
                kind=kind,
            )
        except CorruptLog as damage:
            raise ViewsDamaged(path, damage.why) from damage
        try:
            if not read_only:
                self.look(_LOOK_AT_START_S)
            self._open(read_only)
        except apsw.SQLError as damage:
            self.connection.close()
            raise ViewsDamaged(path, damage) from damage
        except BaseException:
            self.connection.close()
            raise

    @classmethod
    def scratch(cls, path: Path, models: Iterable[Tables]) -> Views:
        """Open views for this process only: without a journal on disk or syncs, and with buffered rows."""
        views = cls(path, models, kind=BufferedConnection)
        views.connection.execute(_SCRATCH)
        return views

    @classmethod
    def beside(cls, directory: Path, models: Iterable[Tables], *, look_s: float = LOOK_S) -> Views:
        """Open a data directory's views for reading, after `look_s` seconds of `look`. Raises NoViews, ViewsDamaged."""
        path = directory / "views.db"
        if not is_begun(path):
            raise NoViews(directory)
        views = cls(path, models, read_only=True)
        try:
            views.look(look_s)
        except BaseException:
            views.connection.close()
            raise
        return views

    def look(self, seconds: float) -> None:
        """Look for damage for up to `seconds`; 1 to 2 ms a MiB. Later damage is found when it is read.

        Raises ViewsDamaged.
        """
        until = time.monotonic() + seconds
        self.connection.set_progress_handler(lambda: time.monotonic() > until, _STEPS)
        try:
            found = self.connection.execute("PRAGMA quick_check(1)").get
        except apsw.InterruptError:
            return
        finally:
            self.connection.set_progress_handler(None)
        if found != "ok":
            raise ViewsDamaged(self.path, str(found).rpartition("\n")[2])

    def _open(self, read_only: bool) -> None:
        path = self.path
        if read_only:
            self.connection.execute("SELECT 1 FROM models").fetchone()  # a file of 0 bytes has no tables
        else:
            with self.connection:
                if claim(self.connection, path, SCHEMA_VERSION) == 1:
                    self.connection.execute("ALTER TABLE positions ADD COLUMN last BLOB")
                self.connection.execute(_DDL)
                self.connection.execute(DEAD_LETTERS_DDL)
                mark(self.connection, SCHEMA_VERSION)
                self._open_models()

    def _open_models(self) -> None:
        advanced = self.connection.execute("SELECT 1 FROM positions LIMIT 1").get is not None
        for model in self.models.values():
            if self._row(model.model) is None:
                self.create(model.model, 1)
                self.switch(model.model, 1)
                if advanced:  # the model is new to this software, but the log has events already, so it is outdated
                    self._forget(model.model)
        for (model_name,) in self.connection.execute("SELECT model FROM models").fetchall():
            if model_name not in self.models:  # a newer software's model, which lacks the events applied from now on
                self._forget(str(model_name))

    def _forget(self, model: str) -> None:
        self.connection.execute("UPDATE models SET version=0 WHERE model=?", (model,))

    def _row(self, model: str) -> tuple[int, int] | None:
        row: Any = self.connection.execute("SELECT generation, version FROM models WHERE model=?", (model,)).fetchone()
        return None if row is None else (int(row[0]), int(row[1]))

    @property
    def _notes_logs(self) -> bool:
        """Whether the file has this software's schema. A reader may open one of another version."""
        return bool(self.connection.pragma("user_version") == SCHEMA_VERSION)

    def log_identity(self) -> str:
        """Return the identity of the log from which the views are built; "" if it is not stored yet."""
        if not self._notes_logs:
            return ""
        return str(self.connection.execute("SELECT identity FROM log").get or "")

    def note_log(self, identity: str) -> None:
        """Store the identity of the log from which the views are built."""
        if self.log_identity() != identity:
            with self.connection:
                self.connection.execute("DELETE FROM log")
                self.connection.execute("INSERT INTO log VALUES (?)", (identity,))

    def marks(self) -> dict[str, Marks]:
        """Return the marks of each consumer group."""
        found: dict[str, Marks] = {}
        if not self._notes_logs:
            return found
        for consumers, topic, partition, next_, last in self.connection.execute("SELECT * FROM positions"):
            mark = Mark(int(next_), from_bytes(last) if last else "")
            found.setdefault(str(consumers), {})[TopicPartition(str(topic), int(partition))] = mark
        return found

    def outdated(self) -> list[str]:
        """Return the read models whose rows an older version of their projector wrote. They have to be rebuilt."""
        return [m.model for m in self.models.values() if (row := self._row(m.model)) and row[1] != m.version]

    def generation(self, model: str) -> int:
        """Return the current generation of a read model."""
        row = self._row(model)
        assert row is not None
        return row[0]

    def generations(self) -> dict[str, int]:
        """Return the current generation of each read model."""
        return {model: self.generation(model) for model in self.models}

    def names(self, generations: Mapping[str, int] | None = None) -> dict[str, str]:
        """Return the table names of all models: of the current generations, or of those in `generations`."""
        chosen = self.generations() | dict(generations or {})
        return {
            plain: real for model, tables in self.models.items() for plain, real in tables.names(chosen[model]).items()
        }

    def create(self, model: str, generation: int) -> None:
        """Create the empty tables of a generation, and their indexes."""
        tables = self.models[model]
        self.create_tables(model, generation)
        for table in tables.tables:
            self.create_indexes(model, generation, table)

    def create_tables(self, model: str, generation: int) -> None:
        """Create the empty tables of a generation, without indexes."""
        tables = self.models[model]
        names = tables.names(generation)
        for table, columns in tables.tables.items():
            virtual = "VIRTUAL " if _is_virtual(columns) else ""
            self.connection.execute(f"CREATE {virtual}TABLE {names[table]} {columns.format(**names)}")

    def create_indexes(self, model: str, generation: int, table: str) -> None:
        """Create the indexes over a table of a generation: 1 to 2 us for each row and index, in one statement."""
        tables = self.models[model]
        for index in (*tables.indexes, *tables.write_indexes):
            if f"{{{table}}}" in index:
                self.connection.execute(index.format(**tables.names(generation), generation=generation))

    def switch(self, model: str, generation: int) -> None:
        """Make a generation the current one."""
        self.connection.execute(
            "INSERT OR REPLACE INTO models VALUES (?, ?, ?)", (model, generation, self.models[model].version)
        )

    def drop(self, model: str, generation: int) -> None:
        """Drop the tables of a generation."""
        for name in self.models[model].names(generation).values():
            self.connection.execute(f"DROP TABLE IF EXISTS {name}")

    def digest(self, model: str, generation: int | None = None) -> tuple[int, str]:
        """Return the number of rows of a read model, and a digest of them that does not depend on their order."""
        return finished(self.digest_steps(model, generation or self.generation(model)))

    def digest_steps(self, model: str, generation: int) -> Generator[None, None, tuple[int, str]]:
        """Compute the same in steps of a few ms, for a process that has other work as well."""
        tables = self.models[model]
        names = tables.names(generation)
        rows = 0
        total = hashlib.blake2b(digest_size=16)
        for table in sorted(tables.tables):
            query = tables.digests.get(table, f"SELECT * FROM {{{table}}}")
            if query is None:
                continue
            count, digest = yield from unordered_digest_steps(self.connection.execute(query.format(**names)))
            rows += count
            total.update(f"{table}:{count}:{digest:x};".encode())
        return rows, total.hexdigest()
