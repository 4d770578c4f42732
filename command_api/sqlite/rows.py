"""The decision state on SQLite: the tables, and the statements of the fold."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import apsw

from events.accounts import Role
from events.ids import AccountId

from ..decision_rows import CHANGES, TABLES, ReadMarkRow, ReadRow, RoleRow, Row, Value, columns

_TYPES: dict[type, str] = {int: "INTEGER", str: "TEXT", bytes: "BLOB"}


def _equal(names: tuple[str, ...]) -> str:
    return " AND ".join(f"{name}=?" for name in names)


def _definition(row: type[Row]) -> str:
    """Return the column definitions and constraints of a table."""
    table, declared = TABLES[row], columns(row)
    parts = [f"{name} {_TYPES[kind]}{'' if optional else ' NOT NULL'}" for name, (kind, optional) in declared.items()]
    parts += [f"UNIQUE ({name})" for name in table.unique]
    parts.append(f"PRIMARY KEY ({', '.join(table.key)})")
    is_number = len(table.key) == 1 and declared[table.key[0]].kind is int  # an INTEGER PRIMARY KEY is the rowid
    return f"({', '.join(parts)}){'' if is_number else ' WITHOUT ROWID'}"


def _update(change: type[Row]) -> str:
    row, counted = CHANGES[change]
    table = TABLES[row]
    places = {name: f"?{place}" for place, name in enumerate(columns(change), 1)}
    changed = [f"{name}={place}" for name, place in places.items() if name not in table.key]
    if counted is not None:
        changed.append(f"{counted}={counted}+1")
    same = " AND ".join(f"{name}={places[name]}" for name in table.key)
    return f"UPDATE {table.name} SET {', '.join(changed)} WHERE {same}"


_VALUES = {row: f"INTO {table.name} VALUES ({', '.join('?' for _ in columns(row))})" for row, table in TABLES.items()}
_INSERT = {row: f"INSERT {values}" for row, values in _VALUES.items()}
_REPLACE = {row: f"INSERT OR REPLACE {values}" for row, values in _VALUES.items()}
_DELETE = {row: f"DELETE FROM {table.name} WHERE {_equal(table.key)}" for row, table in TABLES.items()}
_CHANGE = {change: _update(change) for change in CHANGES}
_DELETE_READ = f"DELETE FROM {TABLES[ReadRow].name} WHERE a=? AND notification<=?"


def create_state_tables(connection: apsw.Connection) -> None:
    """Create the missing tables."""
    for row, table in TABLES.items():
        connection.execute(f"CREATE TABLE IF NOT EXISTS {table.name} {_definition(row)}")


class SqliteDecisionRows:
    """The DecisionRows port, on one connection."""

    def __init__(self, connection: apsw.Connection) -> None:
        self.connection = connection
        self.roles_changed = False
        """Whether `RoleRow`s were written; the reader of the roles sets it back."""

    def insert(self, row: Row) -> None:
        """Insert a row with a new key."""
        self.connection.execute(_INSERT[type(row)], row)

    def replace(self, row: Row) -> None:
        """Insert a row, or replace the row with its key."""
        self.connection.execute(_REPLACE[type(row)], row)
        self.roles_changed |= type(row) is RoleRow

    def delete(self, table: type[Row], *key: Value) -> None:
        """Delete the row with a key."""
        self.connection.execute(_DELETE[table], key)
        self.roles_changed |= table is RoleRow

    def change(self, change: Row) -> None:
        """Change columns of the row with the key of the change."""
        self.connection.execute(_CHANGE[type(change)], change)

    def delete_read(self, mark: ReadMarkRow) -> None:
        """Delete the rows of single read notifications of an account up to its read mark."""
        self.connection.execute(_DELETE_READ, mark)


def roles_in(connection: apsw.Connection) -> Mapping[AccountId, Role]:
    """Return the accounts that have another role than `user`."""
    rows: Any = connection.execute("SELECT id, role FROM decision_roles")
    return {AccountId(account): role for account, role in rows}
