"""Checkpoints of a write-ahead log (WAL): copying it into the database, so that it stays short and reads stay fast.

By default SQLite makes a checkpoint inside a commit, which then takes several ms (docs/adr/0001-sqlite-log.md). Here a
thread makes them beside the writer, on a connection of its own. Such a checkpoint never catches up with a writer that
never rests, and SQLite restarts the WAL only after a checkpoint that did. So when the WAL is long, the writer is asked
to `finish` the last pages between two transactions.
"""

from __future__ import annotations

import threading
import time
from pathlib import Path

import apsw

from .connection import connect

PAGE_BYTES = 4096
_PAUSE_S = 0.02
"""Pause between checkpoints: while a reader holds an old snapshot, every commit would ask for another one."""
_LITTLE = 128
"""Pages that may be left to the writer: copying them and waiting for the disk takes a few ms."""
_IDLE_S = 5.0
"""The longest time until written pages are copied if few are written."""


class Checkpointer:
    """Checkpoints the database of the connection `writer`, in a thread of its own between `start` and `stop`.

    Once the WAL has `after_mib` MiB that are not copied, a checkpoint is made. While a reader keeps an old snapshot the
    WAL grows beyond that, and shrinks when the reader is done.
    """

    def __init__(self, writer: apsw.Connection, *, after_mib: int) -> None:
        self._writer = writer
        self._path = Path(writer.filename)
        self._after = after_mib * 1024 * 1024 // PAGE_BYTES
        self._pages = 0
        self._copied = 0
        self._finished = 0
        self._stopped = False
        self._wake = threading.Event()
        self._copying = threading.Lock()
        self._thread = threading.Thread(target=self._run, name=f"checkpoints of {self._path.name}", daemon=True)
        writer.set_wal_hook(self._committed)

    def start(self) -> None:
        """Start the thread."""
        self._thread.start()

    def stop(self) -> None:
        """End the thread, copy all pages, and empty the WAL if there is no reader."""
        self._stopped = True
        self._wake.set()
        if self._thread.is_alive():
            self._thread.join()
        self._writer.set_wal_hook(None)
        try:
            self._writer.wal_checkpoint(mode=apsw.SQLITE_CHECKPOINT_TRUNCATE)
        except apsw.Error:  # a reader has a snapshot, or the disk is full: the WAL stays, and the next start reads it
            return

    @property
    def wal_bytes(self) -> int:
        """The length of the WAL, in bytes."""
        return self._pages * PAGE_BYTES

    @property
    def behind(self) -> bool:
        """Whether the writer should call `finish`: the WAL is long and nearly copied, or the thread cannot keep up."""
        # Counted from the last `finish`: one is enough while a reader keeps the WAL from restarting.
        grown = self._pages - self._finished
        left = self._pages - self._copied
        return grown > 2 * self._after and (left < _LITTLE or grown > 6 * self._after)

    def finish(self) -> None:
        """Copy the remaining pages on the writer's connection, with no transaction open, so that the WAL can restart.

        Waits for a checkpoint of the thread; this is the back-pressure on a writer that is too fast.
        """
        self._checkpoint(self._writer)
        self._finished = self._pages

    def _committed(self, connection: apsw.Connection, database: str, pages: int) -> int:
        if pages < self._pages:
            self._copied = self._finished = 0  # the WAL has restarted
        self._pages = pages
        if pages - self._copied > self._after:
            self._wake.set()
        return apsw.SQLITE_OK

    def _run(self) -> None:
        connection = connect(self._path, durable=False, cache_mib=1)
        try:
            while not self._stopped:
                much = self._wake.wait(_IDLE_S)
                self._wake.clear()
                if not self._stopped and (much or self._pages > self._copied):
                    self._checkpoint(connection)
                    if self._pages - self._copied > _LITTLE:  # pages written meanwhile; takes a tenth of the time
                        self._checkpoint(connection)
                    time.sleep(_PAUSE_S)
        finally:
            connection.close()

    def _checkpoint(self, connection: apsw.Connection) -> None:
        with self._copying:
            try:
                _, self._copied = connection.wal_checkpoint(mode=apsw.SQLITE_CHECKPOINT_PASSIVE)
            except apsw.Error:  # for example a full disk: commits report it, and the next checkpoint tries again
                self._copied = 0
