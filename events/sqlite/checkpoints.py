"""Checkpoints of a write-ahead log: copying it into the database, so that it neither grows nor slows readers.

SQLite makes them inside a commit unless told otherwise, which then takes several ms (docs/adr: SQLite log). Here a
thread makes them, beside the writer, on a connection of its own. Such a checkpoint never catches up with a writer
that never rests, and the log starts over only from a checkpoint that did. So when the log is long, the writer is
asked to `finish` between two transactions what the thread has left over, a few pages.
"""

from __future__ import annotations

import threading
import time
from pathlib import Path

import apsw

from .connection import connect

PAGE_BYTES = 4096
_PAUSE_S = 0.02
"""Between checkpoints: while a reader holds the log, every commit would ask for another."""
_LITTLE = 128
"""Pages that the writer may be left with: copying them and waiting for the disk takes it a few ms."""
_IDLE_S = 5.0
"""How long written pages may wait when little is written."""


class Checkpointer:
    """Checkpoints the database that `writer` writes, in a thread of its own between `start` and `stop`.

    `after_mib` is how much the log may hold before it is copied; while a reader keeps an old snapshot it grows
    beyond that, and shrinks when the reader is done.
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
        """Begin."""
        self._thread.start()

    def stop(self) -> None:
        """End, with everything copied and the log emptied if nobody reads it."""
        self._stopped = True
        self._wake.set()
        if self._thread.is_alive():
            self._thread.join()
        self._writer.set_wal_hook(None)
        try:
            self._writer.wal_checkpoint(mode=apsw.SQLITE_CHECKPOINT_TRUNCATE)
        except apsw.Error:  # a reader holds on, or the disk is full: the log stays, and is read on the next start
            return

    @property
    def wal_bytes(self) -> int:
        """How long the log is."""
        return self._pages * PAGE_BYTES

    @property
    def behind(self) -> bool:
        """Whether the writer should `finish`: the log is long and all but copied, or the thread cannot keep up."""
        # From where it was finished last: once is enough while a reader keeps the log from starting over.
        grown = self._pages - self._finished
        left = self._pages - self._copied
        return grown > 2 * self._after and (left < _LITTLE or grown > 6 * self._after)

    def finish(self) -> None:
        """Copy the rest, on the writer's connection with no transaction open, so that the log can start over.

        Waits for the thread if it is copying: so a writer that is too fast is held up.
        """
        self._checkpoint(self._writer)
        self._finished = self._pages

    def _committed(self, connection: apsw.Connection, database: str, pages: int) -> int:
        if pages < self._pages:
            self._copied = self._finished = 0  # it has started over
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
                    if self._pages - self._copied > _LITTLE:  # what was written meanwhile: it takes a tenth as long
                        self._checkpoint(connection)
                    time.sleep(_PAUSE_S)
        finally:
            connection.close()

    def _checkpoint(self, connection: apsw.Connection) -> None:
        with self._copying:
            try:
                _, self._copied = connection.wal_checkpoint(mode=apsw.SQLITE_CHECKPOINT_PASSIVE)
            except apsw.Error:  # a full disk, say: commits will tell of it, and the next time it is tried again
                self._copied = 0
