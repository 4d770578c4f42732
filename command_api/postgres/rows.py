"""Decision state on PostgreSQL: the statements of the fold.

The fold reads nothing, so what it writes is collected and sent together: each kind of write is one statement, for any
number of rows.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from typing import NamedTuple

from events.postgres.connections import Statement

from ..decision_rows import CHANGES, TABLES, ReadMarkRow, ReadRow, Row, Value, columns
from . import sets

_TYPES: dict[type, str] = {int: "bigint", str: "text", bytes: "bytea"}


class Write(NamedTuple):
    """A kind of write: SQL with the rows' place in it, and the columns of a row."""

    sql: str
    columns: tuple[str, ...]


Written = tuple[Write, Row]
"""A kind of write, and one row of it."""


def _write(sql: str, row: type[Row], names: Sequence[str]) -> Write:
    declared = columns(row)
    return Write(sql.replace("{rows}", sets.rows({name: _TYPES[declared[name].kind] for name in names})), tuple(names))


def _insert(row: type[Row], conflict: str = "") -> Write:
    names = list(columns(row))
    return _write(f"INSERT INTO {TABLES[row].name} ({', '.join(names)}) SELECT * FROM {{rows}}{conflict}", row, names)


def _replace(row: type[Row]) -> Write:
    key = TABLES[row].key
    others = [f"{name}=excluded.{name}" for name in columns(row) if name not in key]
    return _insert(
        row, f" ON CONFLICT ({', '.join(key)}) DO {'UPDATE SET ' + ', '.join(others) if others else 'NOTHING'}"
    )


def _same(key: Iterable[str]) -> str:
    return " AND ".join(f"old.{name}=new.{name}" for name in key)


def _delete(row: type[Row]) -> Write:
    table = TABLES[row]
    return _write(f"DELETE FROM {table.name} AS old USING {{rows}} WHERE {_same(table.key)}", row, table.key)


def _update(change: type[Row]) -> Write:
    row, counted = CHANGES[change]
    table = TABLES[row]
    changed = [f"{name}=new.{name}" for name in columns(change) if name not in table.key]
    if counted is not None:
        changed.append(f"{counted}=old.{counted}+1")
    sql = f"UPDATE {table.name} AS old SET {', '.join(changed)} FROM {{rows}} WHERE {_same(table.key)}"
    return _write(sql, change, list(columns(change)))


_INSERT: Mapping[type[Row], Write] = {row: _insert(row) for row in TABLES}
_REPLACE: Mapping[type[Row], Write] = {row: _replace(row) for row in TABLES}
_DELETE: Mapping[type[Row], Write] = {row: _delete(row) for row in TABLES}
_CHANGE: Mapping[type[Row], Write] = {change: _update(change) for change in CHANGES}
_DELETE_READ = _write(
    f"DELETE FROM {TABLES[ReadRow].name} AS old USING {{rows}} WHERE old.a=new.a AND old.notification<=new.up_to",
    ReadMarkRow,
    list(columns(ReadMarkRow)),
)


def gathered(written: Iterable[Written]) -> list[Statement]:
    """One statement for each kind, of rows that do not depend on each other: those of different commands at once."""
    kinds: dict[Write, list[Row]] = {}
    for kind, row in written:
        kinds.setdefault(kind, []).append(row)
    return [(kind.sql, (sets.value(kind.columns, rows),)) for kind, rows in kinds.items()]


def in_order(written: Iterable[Written]) -> list[Statement]:
    """A statement for each row, of rows that may well be written twice: those of events one after the other."""
    return [(kind.sql, (sets.value(kind.columns, [row]),)) for kind, row in written]


class PostgresDecisionRows:
    """The DecisionRows port: `written` is what was written, to be sent within a transaction."""

    def __init__(self) -> None:
        self.written: list[Written] = []

    def insert(self, row: Row) -> None:
        """Insert a row with a new key."""
        self.written.append((_INSERT[type(row)], row))

    def replace(self, row: Row) -> None:
        """Insert a row, in place of the one that has its key."""
        self.written.append((_REPLACE[type(row)], row))

    def delete(self, table: type[Row], *key: Value) -> None:
        """Delete the row with a key."""
        self.written.append((_DELETE[table], key))

    def change(self, change: Row) -> None:
        """Change columns of the row that has the change's key."""
        self.written.append((_CHANGE[type(change)], change))

    def delete_read(self, mark: ReadMarkRow) -> None:
        """Delete the read notifications of an account up to its mark."""
        self.written.append((_DELETE_READ, mark))
