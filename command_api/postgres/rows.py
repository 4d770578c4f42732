"""The decision state on PostgreSQL: the statements of the fold.

The fold reads nothing, so its writes are collected and sent together: one statement for each kind of write, with any
number of rows.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from typing import NamedTuple

from events.accounts import Role
from events.ids import AccountId
from events.postgres.connections import Connection, Statement, select

from ..decision_rows import CHANGES, TABLES, ReadMarkRow, ReadRow, Row, Value, columns
from . import sets

ROLES_CHANGED = "minitwitter_roles"
"""The channel on which a trigger tells of each change of `decision_roles`."""
_TYPES: dict[type, str] = {int: "bigint", str: "text", bytes: "bytea"}


class Write(NamedTuple):
    """A kind of write: SQL with a placeholder for the rows, and the columns of a row."""

    sql: str
    columns: tuple[str, ...]


Written = tuple[Write, Row]
"""A kind of write, and one row to write."""


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
    """Return one statement for each kind of write. The rows must be independent, as those of concurrent commands."""
    kinds: dict[Write, list[Row]] = {}
    for kind, row in written:
        kinds.setdefault(kind, []).append(row)
    return [(kind.sql, (sets.value(kind.columns, rows),)) for kind, rows in kinds.items()]


def in_order(written: Iterable[Written]) -> list[Statement]:
    """Return one statement for each row, in order, for rows that several events may write."""
    return [(kind.sql, (sets.value(kind.columns, [row]),)) for kind, row in written]


class PostgresDecisionRows:
    """The DecisionRows port: collects the writes in `written`, to be sent in a transaction."""

    def __init__(self) -> None:
        self.written: list[Written] = []

    def insert(self, row: Row) -> None:
        """Insert a row with a new key."""
        self.written.append((_INSERT[type(row)], row))

    def replace(self, row: Row) -> None:
        """Insert a row, or replace the row with its key."""
        self.written.append((_REPLACE[type(row)], row))

    def delete(self, table: type[Row], *key: Value) -> None:
        """Delete the row with a key."""
        self.written.append((_DELETE[table], key))

    def change(self, change: Row) -> None:
        """Change columns of the row with the key of the change."""
        self.written.append((_CHANGE[type(change)], change))

    def delete_read(self, mark: ReadMarkRow) -> None:
        """Delete the rows of single read notifications of an account up to its read mark."""
        self.written.append((_DELETE_READ, mark))


async def roles_in(connection: Connection) -> Mapping[AccountId, Role]:
    """Return the accounts that have another role than `user`."""
    rows = await select(connection, "SELECT id, role FROM decision_roles")
    return {AccountId(account): role for account, role in rows}
