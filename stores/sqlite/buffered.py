"""Writing many rows at once: rows wait in memory, by statement, and go in sorted, before anything reads their table.

A row that goes in alone costs 3 to 5 us, most of it the call; in a run of a few thousand it costs 1, and B-trees take
sorted rows without loading a page for each. So a rebuild writes into a file of its own in this way. The live read
models do not: their batches are small, and a handler that fails has to be known at once.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterable
from functools import lru_cache
from operator import itemgetter
from typing import Any

import apsw

from .damage import ViewsConnection

Values = tuple[Any, ...]
Write = Callable[[str, Values], object]

MOST_WAITING = 20_000
"""Rows of one table that wait, a few hundred bytes each."""
_TABLE = re.compile(r"\s*(?:INSERT(?: OR \w+)? INTO|DELETE FROM|UPDATE)\s+(\w+)")
_first_column = itemgetter(0)


def writer(connection: apsw.Connection) -> Write:
    """What executes a statement that changes rows of one table and answers nothing: at once, or when it has to be."""
    return connection.later if isinstance(connection, BufferedConnection) else connection.execute


class BufferedConnection(ViewsConnection):
    """A connection whose `later` keeps rows back until their table is used, many wait, or the transaction ends.

    A statement that fails does so then, and not where its record is in hand; so who has to know the record applies
    the batch again with `at_once`. Statements given to `later` are INSERT ... VALUES whose first column leads the
    table's key, or change what one key names: so rows of one statement may be sorted by it.
    """

    def __init__(self, *arguments: Any, **named: Any) -> None:
        super().__init__(*arguments, **named)
        self._waiting: dict[str, list[tuple[str, list[Values]]]] = {}
        self._runs: dict[str, tuple[str, list[Values]]] = {}
        self.at_once = False

    def later(self, sql: str, values: Values) -> None:
        """Execute a statement before anything else uses its table; statements of one table keep their order."""
        if self.at_once:
            super().execute(sql, values)
            return
        table = _table_of(sql)
        run = self._runs.get(table)
        if run is None or run[0] is not sql:
            run = self._runs[table] = (sql, [])
            self._waiting.setdefault(table, []).append(run)
        run[1].append(values)
        if len(run[1]) >= MOST_WAITING:
            self._flush(table)

    def execute(self, statements: str, *arguments: Any, **named: Any) -> apsw.Cursor:
        """Execute, after all that waits for the tables that are named."""
        self._before(statements)
        return super().execute(statements, *arguments, **named)

    def executemany(self, statements: str, *arguments: Any, **named: Any) -> apsw.Cursor:
        """The same for many."""
        self._before(statements)
        return super().executemany(statements, *arguments, **named)

    def _before(self, statements: str) -> None:
        if not self._waiting:
            return
        if statements == "ROLLBACK":
            self._waiting.clear()
            self._runs.clear()
            return
        ending = statements == "COMMIT"
        named = _words(statements)
        for table in [table for table in self._waiting if ending or table in named]:
            self._flush(table)

    def _flush(self, table: str) -> None:
        del self._runs[table]
        for sql, rows in self._waiting.pop(table):
            super().executemany(sql, _sorted(rows) if sql.lstrip().startswith("INSERT") else rows)


def _sorted(rows: list[Values]) -> Iterable[Values]:
    """By the first column, those that agree in it in their order."""
    try:
        return sorted(rows, key=_first_column)
    except TypeError:  # texts beside numbers
        return rows


@lru_cache(maxsize=512)
def _table_of(sql: str) -> str:
    found = _TABLE.match(sql)
    assert found is not None, sql
    return found[1]


@lru_cache(maxsize=512)
def _words(sql: str) -> frozenset[str]:
    return frozenset(re.findall(r"\w+", sql))
