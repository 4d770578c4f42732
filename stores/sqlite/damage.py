"""Damage of views.db: what SQLite raises where it meets some, told as one error to whoever uses the connection."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import apsw


class ViewsDamaged(Exception):
    """views.db cannot be read. Nothing is lost by that: it is made from the log."""

    def __init__(self, path: Path, why: object) -> None:
        super().__init__(f"{path} is damaged ({why}); the next `minitwitter serve` makes it anew from the log")
        self.why = str(why)


_SUSPECT = (apsw.CorruptError, apsw.NotADBError, apsw.SQLError, UnicodeDecodeError)
"""What a damaged file raises; all texts in it were UTF-8 when they were written."""
_OF_SCHEMA = ("malformed database schema", "vtable constructor failed")
"""How an SQLError begins or goes on that is no fault of the statement."""


def _check(connection: apsw.Connection, error: Exception) -> None:
    """Raise ViewsDamaged where an error says that the file is damaged."""
    if not isinstance(error, apsw.SQLError) or any(words in str(error) for words in _OF_SCHEMA):
        raise ViewsDamaged(Path(connection.filename), error) from error


class _Cursor(apsw.Cursor):
    """Whatever reads or writes views.db hears of damage as ViewsDamaged. Costs 1 us a statement."""

    def execute(self, *arguments: Any, **named: Any) -> _Cursor:
        try:
            super().execute(*arguments, **named)
        except _SUSPECT as error:
            _check(self.connection, error)
            raise
        return self

    def executemany(self, *arguments: Any, **named: Any) -> _Cursor:
        try:
            super().executemany(*arguments, **named)
        except _SUSPECT as error:
            _check(self.connection, error)
            raise
        return self

    def __next__(self) -> Any:
        try:
            return super().__next__()
        except _SUSPECT as error:
            _check(self.connection, error)
            raise

    def fetchone(self) -> Any:
        try:
            return super().fetchone()
        except _SUSPECT as error:
            _check(self.connection, error)
            raise

    def fetchall(self) -> Any:
        try:
            return super().fetchall()
        except _SUSPECT as error:
            _check(self.connection, error)
            raise

    @property
    def get(self) -> Any:
        try:
            return super().get
        except _SUSPECT as error:
            _check(self.connection, error)
            raise


class ViewsConnection(apsw.Connection):
    """Of views.db: its cursors, and the commits of its `with`, raise ViewsDamaged where the file is damaged."""

    def __init__(self, *arguments: Any, **named: Any) -> None:
        super().__init__(*arguments, **named)
        self.cursor_factory = _Cursor

    def __exit__(self, *fault: Any) -> Any:
        try:
            return super().__exit__(*fault)
        except _SUSPECT as error:
            _check(self, error)
            raise
