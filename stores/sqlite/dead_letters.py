"""The dead letters of a group in views.db, written in the transaction of their batch."""

from __future__ import annotations

from collections.abc import Collection, Iterator, Sequence
from contextlib import contextmanager
from typing import cast

import apsw

from events.log import TopicPartition
from events.sqlite.connection import UNAVAILABLE

from ..dead_letters import COLUMNS, Counts, DeadLetter, letter_of, row_of
from ..sink import StoreUnavailable

DDL = """
CREATE TABLE IF NOT EXISTS dead_letters (
    consumers TEXT, topic TEXT, partition INTEGER, "offset" INTEGER, key TEXT NOT NULL, event_id TEXT NOT NULL,
    type TEXT NOT NULL, version INTEGER NOT NULL, cause TEXT NOT NULL, at INTEGER NOT NULL, attempts INTEGER NOT NULL,
    PRIMARY KEY (consumers, topic, partition, "offset")
) WITHOUT ROWID;
"""
_COLUMNS = ", ".join(COLUMNS)


class SqliteDeadLetters:
    """The DeadLetters port, on the connection of the group's sink."""

    def __init__(self, connection: apsw.Connection, consumers: str) -> None:
        self._connection = connection
        self._consumers = consumers

    async def put(self, letters: Sequence[DeadLetter]) -> None:
        """Store dead letters, in the open transaction if there is one."""
        with _available():
            self._connection.executemany(
                f"INSERT OR IGNORE INTO dead_letters ({_COLUMNS}) VALUES (?{', ?' * (len(COLUMNS) - 1)})",
                map(row_of, letters),
            )

    async def failed_again(self, letter: DeadLetter) -> None:
        """Change the cause and the attempts of a stored dead letter."""
        with _available():
            self._connection.execute(
                "UPDATE dead_letters SET cause=?, attempts=? WHERE consumers=? AND topic=? AND partition=?"
                ' AND "offset"=?',
                (letter.cause, letter.attempts, self._consumers, *letter.place, letter.offset),
            )

    async def remove(self, letters: Collection[DeadLetter]) -> None:
        """Remove dead letters."""
        with _available():
            self._connection.executemany(
                'DELETE FROM dead_letters WHERE consumers=? AND topic=? AND partition=? AND "offset"=?',
                [(self._consumers, *letter.place, letter.offset) for letter in letters],
            )

    async def page(self, after: tuple[TopicPartition, int] | None = None, limit: int = 1000) -> list[DeadLetter]:
        """Return up to `limit` dead letters after a position, in order."""
        place, offset = after or (TopicPartition("", 0), 0)
        with _available():
            rows = self._connection.execute(
                f'SELECT {_COLUMNS} FROM dead_letters WHERE consumers=? AND (topic, partition, "offset") > (?, ?, ?)'
                ' ORDER BY topic, partition, "offset" LIMIT ?',
                (self._consumers, *place, offset, limit),
            ).fetchall()
        return [letter_of(row) for row in rows]

    async def counts(self) -> Counts:
        """Count the dead letters of the group."""
        with _available():
            [row] = self._connection.execute(
                "SELECT coalesce(sum(cause <> ''), 0), count(*) FROM dead_letters WHERE consumers=?", (self._consumers,)
            ).fetchall()
        return Counts(*cast(tuple[int, int], row))


@contextmanager
def _available() -> Iterator[None]:
    try:
        yield
    except UNAVAILABLE as error:
        raise StoreUnavailable(str(error)) from error
