"""Fills new generations in bulk: each share of the read models in a process and a file of its own, then moves the rows.

This is the first part of a rebuild of a long log. The files are filled up to the positions that the live group had at
the beginning. Then their rows are moved into views.db, in sorted order, in turns between the live batches, and the
indexes are created. The rebuild continues as if it had applied all these events itself.

The files have texts in the clear. They are in a private directory inside the data directory, and are removed when the
rebuild ends, or at the next start after a kill.
"""

from __future__ import annotations

import os
import select
import shutil
import subprocess
import tempfile
from collections import Counter
from collections.abc import Callable, Collection, Generator, Iterable, Mapping, Sequence
from itertools import islice
from pathlib import Path
from typing import Any, NamedTuple

import apsw
import msgspec

from events.log import Positions
from events.sqlite.connection import connect
from runtime.child_process import command, environment
from runtime.embedded.fill_process import CONSUMERS, Filled, Share
from runtime.embedded.fill_shares import shares_of
from stores.sink import StoreUnavailable
from stores.sqlite.sink import ADVANCE
from stores.sqlite.views import Views

WORTHWHILE = 50_000
"""The number of events from which processes are used: they take half a second to start."""
INDEXED_AFTERWARDS = 500_000
"""A table with at most so many rows gets its indexes after its rows: the live read models wait up to a second. A longer
one gets them before its rows, which takes longer and delays nobody.
"""
_PREFIX = "rebuild-"
_MOVING = 0.2
"""The share of the total time that moving takes."""
_FEWEST, _MOST = 100, 20_000
"""The minimum and maximum number of rows that one transaction moves."""


class FillFailed(Exception):
    """A share could not be filled; the message says why."""


class _ShareProcess:
    """The process that fills one share."""

    def __init__(self, share: Share) -> None:
        self.share = share
        self.filled = Filled()
        self._process: subprocess.Popen[bytes] | None = None
        self._said = b""

    @property
    def waiting(self) -> bool:
        """Whether it has not been started."""
        return self._process is None

    @property
    def running(self) -> bool:
        """Whether it was started and has not ended."""
        return self._process is not None and self._process.poll() is None

    def start(self) -> None:
        """Start it. Raises OSError."""
        self._process = subprocess.Popen(  # noqa: S603  # our own module
            command("runtime.embedded.fill_process"),
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            env=environment(),
        )
        assert self._process.stdin is not None
        self._process.stdin.write(msgspec.json.encode(self.share) + b"\n")
        self._process.stdin.flush()

    def fileno(self) -> int:
        """Return the file descriptor of its reports."""
        assert self._process is not None
        assert self._process.stdout is not None
        return self._process.stdout.fileno()

    def listen(self) -> None:
        """Read its reports, when there are some or it has ended. Raises FillFailed, StoreUnavailable."""
        said = os.read(self.fileno(), 65_536)
        *lines, self._said = (self._said + said).split(b"\n")
        if lines:
            self.filled = msgspec.json.decode(lines[-1], type=Filled)
        if self.filled.refused:
            raise StoreUnavailable(self.filled.refused)
        if self.filled.failed:
            raise FillFailed(self.filled.failed)
        if not said:
            assert self._process is not None
            code = self._process.wait()
            if not self.filled.complete:
                raise FillFailed(f"the process that filled {', '.join(self.share.models)} ended with {code}")

    def stop(self) -> None:
        """Kill it."""
        if self._process is not None:
            self._process.kill()
            self._process.wait()
            for pipe in (self._process.stdin, self._process.stdout):
                if pipe is not None:
                    pipe.close()


class ToFill(NamedTuple):
    """New generations of read models of one group, the consumers whose positions they get, and the positions to fill up
    to.

    `skipped` are positions and ids of dead letters.
    """

    group: str
    generations: Mapping[str, int]
    consumers: str
    until: Positions
    skipped: tuple[tuple[str, str], ...] = ()


class Filler:
    """Starts fills of one data directory, and runs a limited number of their processes at a time."""

    def __init__(self, directory: Path, master_key: Path, processes: int) -> None:
        self.directory = directory
        self.master_key = master_key
        self.processes = processes
        self._shares: list[_ShareProcess] = []

    def remove_leftovers(self) -> None:
        """Remove the files of a killed process. Only the owner of the views may call it."""
        for place in self.directory.glob(f"{_PREFIX}*"):
            shutil.rmtree(place, ignore_errors=True)

    def begin(self, views: Views, to_fill: ToFill, topics: Mapping[str, Collection[str]], *, patient: bool) -> Fill:
        """Start a fill; `topics` are the source topics of each read model. Raises StoreUnavailable."""
        events: Counter[str] = Counter()
        for place, end in to_fill.until.items():
            events[place.topic] += end
        try:
            directory = Path(tempfile.mkdtemp(prefix=_PREFIX, dir=self.directory))
        except OSError as error:
            raise StoreUnavailable(f"{self.directory} cannot be written: {error.strerror}") from error
        fill = Fill(self, views, to_fill, shares_of(topics, events, self.processes), directory, patient)
        fill.start()
        return fill

    def run(self, shares: Iterable[_ShareProcess]) -> None:
        """Queue these processes, and start as many as may run."""
        self._shares.extend(shares)
        self.start_some()

    def start_some(self) -> None:
        """Start queued processes in place of those that ended. Raises StoreUnavailable."""
        free = self.processes - sum(share.running for share in self._shares)
        for share in [share for share in self._shares if share.waiting][: max(0, free)]:
            try:
                share.start()
            except OSError as error:
                raise StoreUnavailable(f"no process can be started: {error}") from error

    def forget(self, shares: Iterable[_ShareProcess]) -> None:
        """Kill these processes and remove them from the queue."""
        for share in shares:
            share.stop()
            self._shares.remove(share)
        self.start_some()


class Fill:
    """New generations that are being filled. Each `turn` moves some rows.

    `patient` means that no live read models wait meanwhile.
    """

    def __init__(
        self,
        filler: Filler,
        views: Views,
        to_fill: ToFill,
        shares: Sequence[tuple[str, ...]],
        place: Path,
        patient: bool,
    ) -> None:
        self._filler = filler
        self._views = views
        self._to_fill = to_fill
        self._place = place
        self._patient = patient
        self._events = sum(to_fill.until.values())
        self._limit = 1000
        self._moving: Generator[int, int, None] | None = None
        self.done = False
        self._left = self._shares = [
            _ShareProcess(
                Share(
                    str(filler.directory),
                    str(filler.master_key),
                    str(place / f"{number}.db"),
                    to_fill.group,
                    models,
                    str(to_fill.until),
                    to_fill.skipped,
                )
            )
            for number, models in enumerate(shares)
        ]

    def start(self) -> None:
        """Queue the processes. Raises StoreUnavailable; then the fill is stopped."""
        try:
            self._filler.run(self._shares)
        except BaseException:
            self.stop()
            raise

    def turn(self, seconds: float, timer: Callable[[], float]) -> None:
        """Move rows for so many seconds, or wait for some. Raises FillFailed, StoreUnavailable; then the fill is
        stopped.
        """
        deadline = timer() + seconds
        try:
            self._listen(0 if self._moving else seconds)
            while self._next() and (left := deadline - timer()) > 0:
                self._move(left, timer)
        except BaseException:
            self.stop()
            raise
        if not self._left:
            self.stop()
            self.done = True

    @property
    def fraction(self) -> float:
        """The share of the work that is done."""
        filled = sum(share.filled.events for share in self._shares) / (self._events * len(self._shares) or 1)
        moved = 1 - len(self._left) / len(self._shares)
        return (1 - _MOVING) * filled + _MOVING * moved

    def stop(self) -> None:
        """Stop it, and remove everything but the rows that were moved."""
        if self._moving is not None:
            self._moving.close()
        self._filler.forget(self._shares)
        self._shares = []
        shutil.rmtree(self._place, ignore_errors=True)

    def _listen(self, seconds: float) -> None:
        self._filler.start_some()
        working = [share for share in self._left if not share.waiting and not share.filled.complete]
        if working:
            readable, _, _ = select.select(working, [], [], seconds)
            for share in readable:
                share.listen()

    def _next(self) -> bool:
        """Return whether there are rows to move."""
        if self._moving is None:
            complete = next((share for share in self._left if share.filled.complete), None)
            if complete is None:
                return False
            self._moving = self._move_share(complete)
            next(self._moving)
        return True

    def _move(self, seconds: float, timer: Callable[[], float]) -> None:
        assert self._moving is not None
        started = timer()
        try:
            moved = self._moving.send(self._limit)
        except StopIteration:
            self._moving = None
            return
        if moved >= _FEWEST:
            self._limit = max(_FEWEST, min(_MOST, int(moved * seconds / max(timer() - started, 1e-6))))

    def _move_share(self, process: _ShareProcess) -> Generator[int, int, None]:
        """Move the rows of a file. Each `send` gives the number of rows of a step; the generator yields how many were
        moved.
        """
        share = process.share
        source = connect(Path(share.file), durable=False, read_only=True)
        try:
            limit = yield 0
            for model in share.models:
                for table in self._views.models[model].plain():
                    limit = yield from self._move_table(source, model, table, limit)
            connection = self._views.connection
            newest = source.execute("SELECT topic, key, id FROM newest WHERE consumers=?", (CONSUMERS,))
            insert = "INSERT OR REPLACE INTO newest VALUES (?, ?, ?, ?)"
            while rows := [(self._to_fill.consumers, *row) for row in islice(newest, limit)]:
                with connection:
                    connection.executemany(insert, rows)
                limit = yield len(rows)
            positions = source.execute(
                "SELECT topic, partition, next, last FROM positions WHERE consumers=?", (CONSUMERS,)
            )
            with connection:
                connection.executemany(ADVANCE, [(self._to_fill.consumers, *row) for row in positions])
        finally:
            source.close()
        process.stop()
        Path(share.file).unlink()
        self._left = [other for other in self._left if other is not process]

    def _move_table(self, source: apsw.Connection, model: str, table: str, limit: int) -> Generator[int, int, int]:
        views, tables, generation = self._views, self._views.models[model], self._to_fill.generations[model]
        count: Any = source.execute(f"SELECT count(*) FROM {table}_1").get
        afterwards = self._patient or count <= INDEXED_AFTERWARDS
        if not afterwards:
            with views.connection:
                views.create_indexes(model, generation, table)
        names = tables.names(generation)
        rows = source.execute(f"SELECT * FROM {table}_1")
        index = tables.indexed.get(table)
        while some := list(islice(rows, limit)):
            marks = ", ".join("?" * len(some[0]))
            with views.connection:
                views.connection.executemany(f"INSERT INTO {names[table]} VALUES ({marks})", some)
                if index is not None:
                    views.connection.executemany(index.format(**names), some)
            limit = yield len(some)
        if afterwards:
            with views.connection:
                views.create_indexes(model, generation, table)
            limit = yield 0
        return limit
