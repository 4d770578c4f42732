"""log.db: the event log, the decision state, keys and credentials: all data that must never be lost."""

from __future__ import annotations

import fcntl
import os
import time
from collections.abc import Callable
from contextlib import suppress
from pathlib import Path

import apsw

from events.codec import Codec
from events.ids import HybridClock
from events.log import LogUnavailable
from events.sealing import MasterKeyMissing, MasterKeys, Sealer
from events.sqlite.checkpoints import Checkpointer
from events.sqlite.connection import IncompatibleData, available, claim, connect, is_begun, mark
from events.sqlite.group_commit import CommitThread, GroupCommit, OffLoop
from events.sqlite.identity import give_identity
from events.sqlite.keys import KEYS_DDL, SqliteKeys
from events.sqlite.log import SqliteLog, SqliteLogReader, SqliteLogWriter
from events.sqlite.records import LogTable, create_topics
from events.topics import LOGGED

SCHEMA_VERSION = 1


class AlreadyOwned(Exception):
    """Another process owns the data directory."""


class Ownership:
    """A lock that makes one process the owner of a data directory. The kernel releases it when the process ends.

    `lock` is for log.db and decisions; `views.lock` is for views.db.
    """

    def __init__(self, directory: Path, name: str = "lock") -> None:
        try:
            directory.mkdir(mode=0o700, parents=True, exist_ok=True)
            self._file = (directory / name).open("a+")
            with suppress(PermissionError):  # a file of another user can still be locked
                os.fchmod(self._file.fileno(), 0o600)
        except OSError as error:
            raise LogUnavailable(f"{directory} cannot be used: {error.strerror}") from None
        try:
            fcntl.flock(self._file, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            self._file.close()
            raise AlreadyOwned(
                f"another minitwitter runs on {directory}; stop it, or choose another --data directory"
            ) from None
        self._file.seek(0)
        self._file.truncate()
        self._file.write(str(os.getpid()))
        self._file.flush()

    def release(self) -> None:
        """Release the lock."""
        self._file.close()


def is_owned(directory: Path) -> bool:
    """Return whether a process owns a data directory; it may not serve yet."""
    try:
        with (directory / "lock").open() as file:
            fcntl.flock(file, fcntl.LOCK_SH | fcntl.LOCK_NB)
    except BlockingIOError:
        return True
    except OSError:
        pass
    return False


class LogMissing(Exception):
    """A data directory has lost its log. The message says what to do."""


class NoLog(LogUnavailable):
    """The directory never had a log: its name is mistyped, or no server was started there yet."""


def check_log_there(directory: Path) -> bool:
    """Return whether the directory has a log. Raises LogMissing if other files show that it had one.

    An interrupted first start has made an empty database at most.
    """
    path = directory / "log.db"
    if is_begun(path):
        return True
    length = path.stat().st_size if path.exists() else 0
    media = directory / "media"
    beside = [name for name in ("views.db", "signing-keys") if (directory / name).exists()]
    beside += ["media"] if media.is_dir() and any(media.iterdir()) else []
    beside += ["master.key"] if not length and (directory / "master.key").exists() else []
    if beside:
        how = "empty" if path.exists() else "missing"
        raise LogMissing(
            f"{path} is {how}, and beside it there is {', '.join(beside)}: no empty log is made there."
            " Put log.db and log.db-wal back, from a backup if need be; a new community takes another --data directory"
        )
    return False


def load_masters(path: Path, *, has_log: bool) -> MasterKeys:
    """Return the master keys; the first start creates one. Raises MasterKeyMissing if there is a log already."""
    try:
        return MasterKeys.load(path)
    except MasterKeyMissing:
        if has_log:
            raise
    masters = MasterKeys.generate()
    masters.save(path)
    return masters


class LogDb:
    """log.db, opened by its owner. Simulations pass an `off_loop` that stays on the event loop, and a `timer`."""

    def __init__(
        self,
        directory: Path,
        *,
        ids: HybridClock,
        partitions: int = 1,
        master_key: Path | None = None,
        off_loop: OffLoop | None = None,
        timer: Callable[[], float] = time.perf_counter,
        randomness: Callable[[int], bytes] = os.urandom,
        prepare: tuple[Callable[[apsw.Connection], None], ...] = (),
    ) -> None:
        path = directory / "log.db"
        has_log = check_log_there(directory)
        self.connection = connect(path, durable=True)
        masters = load_masters(master_key or directory / "master.key", has_log=has_log)
        self.sealer = Sealer(masters)
        self.codec = Codec(self.sealer)
        self.ids = ids
        with self.connection, available(path):
            claim(self.connection, path, SCHEMA_VERSION)
            self.connection.execute(KEYS_DDL)
            create_topics(self.connection, LOGGED, partitions)
            for step in prepare:
                step(self.connection)
            self.identity = give_identity(self.connection, randomness)
            mark(self.connection, SCHEMA_VERSION)
        self.keys = SqliteKeys(self.connection, self.sealer, randomness)
        self._thread = CommitThread()
        self.commits = GroupCommit(self.connection, off_loop or self._thread, timer)
        self.table = LogTable(self.connection, self.codec, self.keys)
        self.table.check_kinds()
        self.writer = SqliteLogWriter(self.table, self.commits, ids)
        self._checkpoints: Checkpointer | None = None
        self.read_connection = connect(path, durable=True, read_only=True)
        self.log = SqliteLog(self.writer, log_table(self.read_connection, self.sealer))

    def checkpoint(self, after_mib: int) -> Checkpointer:
        """Start checkpoints beside the commits, until `close`."""
        checkpoints = self._checkpoints = Checkpointer(self.connection, after_mib=after_mib)
        self.commits.between = lambda: checkpoints.finish if checkpoints.behind else None
        checkpoints.start()
        return checkpoints

    async def close(self) -> None:
        """Finish running work and close the files."""
        await self.commits.close()
        self._thread.close()
        self.read_connection.close()
        if self._checkpoints is not None:
            self._checkpoints.stop()
        self.connection.close()


def log_table(connection: apsw.Connection, sealer: Sealer) -> LogTable:
    """Return the records on a read-only connection."""
    return LogTable(connection, Codec(sealer), SqliteKeys(connection, sealer))


def open_reader(directory: Path, master_key: Path | None = None) -> SqliteLogReader:
    """Open the log for reading, beside its owner. Raises LogUnavailable if there is none."""
    connection = _read_only(directory)
    sealer = Sealer(MasterKeys.load(master_key or directory / "master.key"))
    return SqliteLogReader(log_table(connection, sealer))


def open_writer(directory: Path) -> apsw.Connection:
    """Open log.db for the owner of the directory, without reading events. Raises NoLog, LogMissing."""
    _read_only(directory).close()
    return connect(directory / "log.db", durable=True)


def open_records(directory: Path) -> LogTable:
    """Open the stored records beside their owner, to count them; no key is needed."""
    return log_table(_read_only(directory), Sealer(MasterKeys.generate()))


def check_there(directory: Path) -> None:
    """Check that a directory has a log. Raises NoLog if the directory is new, else LogMissing."""
    if not check_log_there(directory):
        raise NoLog(f"there is no log in {directory}; start `minitwitter serve --data {directory}` first")


def _read_only(directory: Path) -> apsw.Connection:
    check_there(directory)
    return connect(directory / "log.db", durable=True, read_only=True)


__all__ = [
    "AlreadyOwned",
    "IncompatibleData",
    "LogDb",
    "Ownership",
    "check_there",
    "load_masters",
    "open_reader",
    "open_records",
]
