"""The bytes of deleted rows are no longer in the database file."""

from __future__ import annotations

from pathlib import Path

from events.sqlite.connection import connect

SECRET = "Ada was here"


def test_deleted_rows_leave_no_bytes_in_the_file(tmp_path: Path) -> None:
    path = tmp_path / "a.db"
    connection = connect(path, durable=True)
    connection.execute("CREATE TABLE kept (id INTEGER PRIMARY KEY, text TEXT)")
    connection.executemany("INSERT INTO kept VALUES (?, ?)", [(n, SECRET * 50) for n in range(200)])
    connection.execute("PRAGMA wal_checkpoint(TRUNCATE)")
    assert SECRET.encode() in path.read_bytes()
    connection.execute("DELETE FROM kept")
    connection.execute("PRAGMA wal_checkpoint(TRUNCATE)")
    assert SECRET.encode() not in path.read_bytes()
    connection.close()


def test_a_file_that_others_could_read_is_kept_private(tmp_path: Path) -> None:
    path = tmp_path / "a.db"
    path.touch()
    path.chmod(0o644)
    connect(path, durable=True).close()
    assert path.stat().st_mode & 0o777 == 0o600
