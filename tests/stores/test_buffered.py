"""Buffered rows are written before any statement reads their table, and in an order that gives the same result."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import apsw
import pytest

from stores.sqlite import buffered
from stores.sqlite.buffered import BufferedConnection, writer

PUT = "INSERT OR REPLACE INTO notes VALUES (?, ?)"
TAKE = "DELETE FROM notes WHERE id=?"


@pytest.fixture
def connection() -> Iterator[BufferedConnection]:
    connection = BufferedConnection(":memory:")
    connection.execute("CREATE TABLE notes (id PRIMARY KEY, text NOT NULL); CREATE TABLE others (id)")
    yield connection
    connection.close()


def rows(connection: BufferedConnection) -> list[tuple[Any, ...]]:
    return connection.execute("SELECT id, text FROM notes ORDER BY id").fetchall()


def test_a_statement_on_the_table_sees_buffered_rows(connection: BufferedConnection) -> None:
    connection.later(PUT, (2, "two"))
    connection.later(PUT, (1, "one"))
    assert rows(connection) == [(1, "one"), (2, "two")]


def test_writes_to_one_key_keep_their_order(connection: BufferedConnection) -> None:
    for statement, values in [(PUT, (1, "a")), (PUT, (2, "b")), (PUT, (1, "c")), (TAKE, (2,)), (PUT, (3, "d"))]:
        connection.later(statement, values)
    connection.later(TAKE, (3,))
    assert rows(connection) == [(1, "c")]


def test_a_statement_on_another_table_writes_no_buffered_rows(connection: BufferedConnection) -> None:
    connection.later(PUT, (1, None))
    connection.execute("SELECT * FROM others")
    with pytest.raises(apsw.ConstraintError):
        rows(connection)


def test_a_commit_has_all_of_the_transaction_and_a_rollback_nothing(connection: BufferedConnection) -> None:
    connection.execute("BEGIN IMMEDIATE")
    connection.later(PUT, (1, "kept"))
    connection.execute("COMMIT")
    connection.execute("BEGIN IMMEDIATE")
    connection.later(PUT, (2, "undone"))
    connection.execute("ROLLBACK")
    assert rows(connection) == [(1, "kept")]


def test_the_buffer_is_bounded(connection: BufferedConnection, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(buffered, "MOST_WAITING", 3)
    connection.later(PUT, (1, None))
    connection.later(PUT, (2, "two"))
    with pytest.raises(apsw.ConstraintError):
        connection.later(PUT, (3, "three"))


def test_without_buffering_the_failing_statement_raises_the_error(connection: BufferedConnection) -> None:
    connection.at_once = True
    with pytest.raises(apsw.ConstraintError):
        connection.later(PUT, (1, None))


def test_texts_beside_numbers_in_a_first_column_are_written(connection: BufferedConnection) -> None:
    connection.later(PUT, ("one", "a"))
    connection.later(PUT, (1, "b"))
    assert rows(connection) == [(1, "b"), ("one", "a")]


def test_live_read_models_write_without_a_buffer() -> None:
    connection = apsw.Connection(":memory:")
    connection.execute("CREATE TABLE notes (id PRIMARY KEY, text NOT NULL)")
    with pytest.raises(apsw.ConstraintError):
        writer(connection)(PUT, (1, None))
    connection.close()
