"""Open SQLite databases with the settings of the embedded profile."""

from __future__ import annotations

import struct
from contextlib import suppress
from pathlib import Path

import apsw

from ..log import CorruptLog, LogUnavailable

APPLICATION_ID = 0x4D745477  # "MtTw" marks our databases, for `claim` and for the command `file`
_HEADER = struct.Struct(">16sH2x8xI")
_OWNER = struct.Struct(">36xI")
"""The application id, behind the fields of _HEADER."""

UNAVAILABLE = (
    apsw.FullError,
    apsw.IOError,
    apsw.ReadOnlyError,
    apsw.CantOpenError,
    apsw.NoMemError,
    apsw.PermissionsError,
    apsw.BusyError,
    apsw.ProtocolError,
)
"""Errors of SQLite when the disk, the file system or a lock refuses; the call can be retried later."""


class IncompatibleData(Exception):
    """Another version of the software wrote the data directory, and this version cannot read it."""


def _keep_private(path: Path) -> None:
    for file in (path, path.with_name(path.name + "-wal"), path.with_name(path.name + "-shm")):
        with suppress(OSError):  # no such file, or one of another user
            file.chmod(0o600)


def connect(
    path: Path,
    *,
    durable: bool,
    read_only: bool = False,
    cache_mib: int = 16,
    mmap_mib: int = 0,
    kind: type[apsw.Connection] = apsw.Connection,
) -> apsw.Connection:
    """Open a connection in WAL mode.

    `durable` commits reach the disk before they return (`synchronous=FULL`). Others may lose the newest commits in a
    power cut, never their consistency. Automatic checkpoints are off, because inside a commit they take several ms; a
    `Checkpointer` makes them. `cache_mib` MiB of the file are cached, `mmap_mib` MiB are mapped. Reading mapped pages
    copies nothing, but the pages count as memory of the process.

    A file opened for writing is made private to its owner, because older versions created it readable for all.

    Raises CorruptLog if the file is cut short or not a database, LogUnavailable if it cannot be opened.
    """
    check_length(path)
    if not read_only:
        _keep_private(path)
    flags = apsw.SQLITE_OPEN_READONLY if read_only else apsw.SQLITE_OPEN_READWRITE | apsw.SQLITE_OPEN_CREATE
    try:
        connection = kind(str(path), flags=flags | apsw.SQLITE_OPEN_NOMUTEX, statementcachesize=512)
        connection.set_busy_timeout(10_000)
        # Plans must not depend on bound values. Otherwise SQLite prepares many statements again for each run, which
        # takes longer than the look-up itself (the merge of the home feed takes 0.19 ms instead of 0.11).
        connection.config(apsw.SQLITE_DBCONFIG_ENABLE_QPSG, 1)
        if not read_only:
            connection.execute("PRAGMA journal_mode=WAL")
            connection.execute(f"PRAGMA synchronous={'FULL' if durable else 'NORMAL'}")
            connection.execute("PRAGMA wal_autocheckpoint=0")
            # Overwrite deleted rows: free pages would keep answers and texts for years.
            connection.execute("PRAGMA secure_delete=ON")
            connection.execute("PRAGMA journal_size_limit=67108864")
        connection.execute(f"PRAGMA cache_size=-{cache_mib * 1024}")
        connection.execute(f"PRAGMA mmap_size={mmap_mib << 20}")
        connection.execute("PRAGMA temp_store=MEMORY")
        connection.execute("PRAGMA foreign_keys=OFF")
    except (apsw.NotADBError, apsw.CorruptError, apsw.SQLError) as error:
        raise corrupt(path, error) from error
    except UNAVAILABLE as error:
        raise LogUnavailable(f"{path} cannot be opened: {error}") from error
    return connection


def check_length(path: Path) -> None:
    """Raise CorruptLog if the file is shorter than its header says. Raises LogUnavailable if it cannot be read."""
    try:
        with path.open("rb") as file:
            header = file.read(_HEADER.size)
            length = file.seek(0, 2)
    except FileNotFoundError:
        return
    except OSError as error:
        raise LogUnavailable(f"{path} cannot be read: {error}") from error
    if length == 0:
        return
    if len(header) < _HEADER.size or header[:15] != b"SQLite format 3":
        raise CorruptLog(f"{path} is not an SQLite database; restore it from a backup", "it is no SQLite database")
    _, page_size, pages = _HEADER.unpack(header)
    page_size = 65536 if page_size == 1 else page_size
    wal = path.with_name(path.name + "-wal")
    if length < page_size * pages and not (wal.exists() and wal.stat().st_size):
        why = f"is cut short: {length} bytes where {page_size * pages} are recorded"
        raise CorruptLog(f"{path} {why}; restore it from a backup", f"it {why}")


def is_begun(path: Path) -> bool:
    """Return whether a file is more than an empty database: it has the mark of an owner, or its WAL has content."""
    if not path.exists() or not path.stat().st_size:
        return False
    with path.open("rb") as file:
        header = file.read(_HEADER.size + _OWNER.size)
    wal = path.with_name(path.name + "-wal")
    nobodys = header.startswith(b"SQLite format 3") and _OWNER.unpack(header[_HEADER.size :]) == (0,)
    return not nobodys or (wal.exists() and wal.stat().st_size > 0)


class available:  # noqa: N801  # used like contextlib's; a generator would assign to the exceptions that pass it
    """Translate SQLite's errors of a refusing disk into LogUnavailable."""

    def __init__(self, path: Path) -> None:
        self._path = path

    def __enter__(self) -> None:
        """Do nothing."""

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, trace: object) -> None:
        """Raise LogUnavailable for an error in UNAVAILABLE."""
        if isinstance(error, UNAVAILABLE):
            raise LogUnavailable(f"{self._path} cannot be written: {error}") from error


def corrupt(path: Path, error: Exception) -> CorruptLog:
    """Return the error to raise when SQLite finds damage."""
    advice = "stop, keep a copy of the file, and restore it from a backup"
    return CorruptLog(f"{path} is damaged ({error}); {advice}", str(error))


def claim(connection: apsw.Connection, path: Path, schema_version: int) -> int:
    """Check that the file belongs to minitwitter and has a known schema. Return its schema version, 0 for a new file.

    Raises IncompatibleData.
    """
    owner = connection.pragma("application_id")
    version = connection.pragma("user_version")
    tables = connection.execute("SELECT count(*) FROM sqlite_schema").get
    if owner not in (0, APPLICATION_ID) or (owner == 0 and tables):
        raise IncompatibleData(f"{path} is a database of another program; choose another data directory")
    if version > schema_version:
        raise IncompatibleData(
            f"{path} has schema {version}, this minitwitter knows up to {schema_version}; use a newer minitwitter"
        )
    return int(version)


def mark(connection: apsw.Connection, schema_version: int) -> None:
    """Write minitwitter's application id and the schema version into the file."""
    connection.pragma("application_id", APPLICATION_ID)
    connection.pragma("user_version", schema_version)
