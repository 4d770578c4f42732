"""Damage of views.db: the errors that SQLite raises for it, converted to one exception."""

from __future__ import annotations

from collections.abc import Callable
from functools import wraps
from pathlib import Path
from typing import Any, TypeVar

import apsw

T = TypeVar("T")


class ViewsDamaged(Exception):
    """views.db cannot be read. No data is lost: it can be built again from the log."""

    def __init__(self, path: Path, why: object) -> None:
        super().__init__(f"{path} is damaged ({why}); the next `minitwitter serve` makes it anew from the log")
        self.why = str(why)


_SUSPECT = (apsw.CorruptError, apsw.NotADBError, apsw.SQLError, UnicodeDecodeError)
"""The exceptions that a damaged file causes. All texts in it were UTF-8 when they were written."""
_OF_SCHEMA = ("malformed database schema", "vtable constructor failed")
"""Parts of SQLError messages that mean damage and no fault of the statement."""


def _check(connection: apsw.Connection, error: Exception) -> None:
    """Raise ViewsDamaged if an error means that the file is damaged."""
    if not isinstance(error, apsw.SQLError) or any(words in str(error) for words in _OF_SCHEMA):
        raise ViewsDamaged(Path(connection.filename), error) from error


def _telling(method: Callable[..., T]) -> Callable[..., T]:
    """Wrap a method of a connection or cursor so that it raises ViewsDamaged for damage. Costs 1 us a call."""

    @wraps(method)
    def telling(of: Any, *arguments: Any, **named: Any) -> T:
        try:
            return method(of, *arguments, **named)
        except _SUSPECT as error:
            _check(of if isinstance(of, apsw.Connection) else of.connection, error)
            raise

    return telling


class _Cursor(apsw.Cursor):
    """A cursor that raises ViewsDamaged if the file is damaged."""

    execute = _telling(apsw.Cursor.execute)
    executemany = _telling(apsw.Cursor.executemany)
    fetchone = _telling(apsw.Cursor.fetchone)
    fetchall = _telling(apsw.Cursor.fetchall)
    __next__ = _telling(apsw.Cursor.__next__)
    get = property(_telling(apsw.Cursor.get.__get__))


class ViewsConnection(apsw.Connection):
    """A connection to views.db whose cursors and transactions raise ViewsDamaged if the file is damaged."""

    def __init__(self, *arguments: Any, **named: Any) -> None:
        super().__init__(*arguments, **named)
        self.cursor_factory = _Cursor

    __exit__ = _telling(apsw.Connection.__exit__)
