"""Damage of views.db: what SQLite raises where it meets some, told as one error to whoever uses the connection."""

from __future__ import annotations

from collections.abc import Callable
from functools import wraps
from pathlib import Path
from typing import Any, TypeVar

import apsw

T = TypeVar("T")


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


def _telling(method: Callable[..., T]) -> Callable[..., T]:
    """A method of a connection or a cursor that raises ViewsDamaged where the file is damaged. Costs 1 us a call."""

    @wraps(method)
    def telling(of: Any, *arguments: Any, **named: Any) -> T:
        try:
            return method(of, *arguments, **named)
        except _SUSPECT as error:
            _check(of if isinstance(of, apsw.Connection) else of.connection, error)
            raise

    return telling


class _Cursor(apsw.Cursor):
    """Whatever reads or writes views.db hears of damage as ViewsDamaged."""

    execute = _telling(apsw.Cursor.execute)
    executemany = _telling(apsw.Cursor.executemany)
    fetchone = _telling(apsw.Cursor.fetchone)
    fetchall = _telling(apsw.Cursor.fetchall)
    __next__ = _telling(apsw.Cursor.__next__)
    get = property(_telling(apsw.Cursor.get.__get__))


class ViewsConnection(apsw.Connection):
    """Of views.db: its cursors, and the commits of its `with`, raise ViewsDamaged where the file is damaged."""

    def __init__(self, *arguments: Any, **named: Any) -> None:
        super().__init__(*arguments, **named)
        self.cursor_factory = _Cursor

    __exit__ = _telling(apsw.Connection.__exit__)
