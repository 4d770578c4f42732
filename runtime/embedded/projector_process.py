"""The projector process: `python -m runtime.embedded.projector_process --data DIR`, a child of `minitwitter serve`.

It owns views.db and tails log.db. Standard input has lines: an empty one means that something was appended, any other
is a Command; at the end of the input the process stops. Standard output has Reports, one JSON object a line. There is
no event loop: the adapters of the embedded profile never wait, and a loop costs as much as a small batch.
"""

from __future__ import annotations

import argparse
import os
import select
import signal
import sys
import time
from collections.abc import Coroutine
from pathlib import Path
from typing import Any, NoReturn, TypeVar

import apsw
import msgspec

from events.fitting import DoesNotFit
from events.log import CorruptLog, LogUnavailable, Positions
from events.retries import Backoff, Outage
from events.sealing import KeyUnknown, MasterKeyMissing, MasterKeys, SealBroken, Sealer
from events.sqlite.checkpoints import Checkpointer
from events.sqlite.connection import UNAVAILABLE, IncompatibleData, connect
from events.sqlite.identity import identity
from events.sqlite.log import SqliteLogReader
from runtime.child_process import cores
from runtime.dead_letter_policy import CannotApply
from runtime.dead_letters import Choice, Mended, Waiting
from runtime.embedded.fill import Filler, FillFailed
from runtime.embedded.log_db import AlreadyOwned, LogMissing, Ownership, check_log_there, log_table
from runtime.embedded.log_identity import DAMAGED, check_fit, set_aside
from runtime.embedded.models import ALL_TABLES
from runtime.embedded.processors import Processors, UnknownModel
from runtime.embedded.projector_loop import Projecting
from runtime.embedded.rebuild import AlreadyRebuilding, CannotGoBack, LettersLeft
from runtime.gc_tuning import freeze_startup_objects
from runtime.rebuild_progress import RebuildProgress
from stores.sink import StoreUnavailable
from stores.sqlite.damage import ViewsDamaged
from stores.sqlite.views import Views

POLL_S = 1.0
"""Only a safeguard, in seconds: appending wakes the process."""
RETRY = Backoff((0.5,))
LONGEST_REST_S = 0.008
"""The maximum time that a new tweet waits for others, to be projected together. Under little load turns are short, so
it waits less. Without rests, a burst of 4,500 posts a second took nine tenths of a core here, with them six.
"""
LAST_TURNS_S = 2.0
"""The maximum time to apply the remaining events when the server stops, so that views are mostly current later."""
TAKEOVER_S = 10.0
"""The maximum time to wait for the process of a killed server to stop."""
FIT_EVERY_S = 10.0
THERE_EVERY_S = 2.0
"""Seconds between checks that views.db is the file that was opened; a check is one `stat`."""
FATAL = (
    AlreadyOwned,
    CannotApply,
    CorruptLog,
    DoesNotFit,
    FillFailed,
    IncompatibleData,
    KeyUnknown,
    LogMissing,
    MasterKeyMissing,
    SealBroken,
)
"""Errors that no restart repairs; the server gets one line about them."""
NOT_DONE = (UnknownModel, AlreadyRebuilding, CannotGoBack)
"""Errors that refuse a command, besides remaining dead letters and a disk that refuses."""
UNFIT, IN_USE, DISK = 4, 3, 5
"""Exit codes, as of the command line: the data must be repaired first; another process owns it; the disk refuses."""

T = TypeVar("T")


class ViewsRemoved(Exception):
    """views.db was removed or replaced while it was open: nobody can open what is written to it any more."""


class Command(msgspec.Struct, frozen=True):
    """A command of the server: rebuild read models, cancel all rebuilds, reload the master key file, retry dead
    letters, or drop those that were discarded.

    `number` is repeated in the answer.
    """

    number: int = 0
    rebuild: tuple[str, ...] = ()
    back: bool = False
    cancel: bool = False
    damaged: bool = False
    """A reader has found damage in views.db."""
    reload_keys: bool = False
    retry: Choice | None = None
    take_discards: bool = False


class Report(msgspec.Struct, frozen=True, omit_defaults=True):
    """A report; one of its fields is set."""

    ready: bool = False
    idle: bool = False
    group: str = ""
    positions: str = ""
    events: int = 0
    progress: RebuildProgress | None = None
    number: int = 0
    """The number of the command that was refused or executed."""
    refused: str = ""
    cancelled: tuple[str, ...] | None = None
    remade: str = ""
    """Why the read models are rebuilt from nothing."""
    unavailable: str = ""
    fatal: str = ""
    code: int = 1
    """The exit code of the command that was refused, or that waits for a rebuild that failed."""
    mended: Mended | None = None
    letters: dict[str, Waiting] | None = None
    """The dead letters of the groups whose letters have changed."""
    stopped: dict[str, str] | None = None
    """All groups that stopped because too many records failed, and what to do about them."""
    generations: dict[str, tuple[int, int]] | None = None
    """The current generation and version of each read model."""
    wal_bytes: int = 0


def run(work: Coroutine[Any, Any, T]) -> T:
    """Run a coroutine that never waits."""
    try:
        work.send(None)
    except StopIteration as end:
        return end.value  # type: ignore[no-any-return]  # the value of a coroutine that returns T
    raise RuntimeError("an adapter of the embedded profile waited")


class ProjectorProcess:
    """The loop of the process that owns views.db. Raises ViewsDamaged when it finds damage."""

    def __init__(self, directory: Path, *, serving_batch: int, turn_s: float, wal_mib: int, master_key: Path) -> None:
        self._encode = msgspec.json.Encoder().encode
        self._commands = msgspec.json.Decoder(Command)
        self._master_key = master_key
        self._sealer = sealer = Sealer(MasterKeys.load(master_key))
        check_log_there(directory)
        log_connection = connect(directory / "log.db", durable=True, read_only=True)
        log = SqliteLogReader(log_table(log_connection, sealer))
        self._log_table = log.table
        self.views = Views(directory / "views.db", ALL_TABLES)
        try:
            self._open(log, sealer, serving_batch, turn_s)
        except BaseException:
            self.views.connection.close()  # before its file is renamed
            raise
        self._checkpoints = Checkpointer(self.views.connection, after_mib=wal_mib)
        self._progress_at = 0.0
        self._unavailable = ""
        self._outage = Outage(RETRY)
        self._idle = False
        self._stopped: dict[str, str] = {}

    def _open(self, log: SqliteLogReader, sealer: Sealer, serving_batch: int, turn_s: float) -> None:
        check_fit(self.views, log.table)
        self.views.note_log(identity(log.table.connection))
        self._fit_at = self._there_at = time.monotonic()
        self._file = _inode(self.views.path)
        partitions = max(place.partition for place in log.table.places) + 1
        self._projecting = Projecting(
            self.views,
            Processors(self.views, sealer, partitions),
            log,
            serving_batch=serving_batch,
            turn_s=turn_s,
            filler=Filler(self.views.path.parent, self._master_key, cores()),
        )
        self._projecting.on_advance = self._advanced
        self._projecting.on_progress = self._progressed
        self._projecting.on_letters = self._tell_letters

    def run(self) -> None:
        """Start, then take turns until standard input ends."""
        self._checkpoints.start()
        try:
            run(self._projecting.start())
            for group in ("serving", "analytics"):
                self._advanced(group, self._projecting.positions(group), 0)
            freeze_startup_objects()
            self._say(Report(ready=True, generations=self._generations()))
            while self._listen(0 if self._rested_turn() else POLL_S):
                self._look_at_fit()
                self._look_for_views()
                if self._checkpoints.behind:
                    self._checkpoints.finish()
            deadline = time.monotonic() + LAST_TURNS_S
            while time.monotonic() < deadline and self._turn():
                pass
        finally:
            self._projecting.close()
            self._checkpoints.stop()
            self.views.connection.close()

    def _look_at_fit(self) -> None:
        """Check from time to time that the log is still the same one. Raises DoesNotFit."""
        now = time.monotonic()
        if now - self._fit_at > FIT_EVERY_S:
            self._fit_at = now
            check_fit(self.views, self._log_table)

    def _look_for_views(self) -> None:
        """Check from time to time that views.db is still the opened file. Raises ViewsRemoved."""
        now = time.monotonic()
        if now - self._there_at > THERE_EVERY_S:
            self._there_at = now
            found = _inode(self.views.path)
            if found != self._file:
                raise ViewsRemoved("removed" if found is None else "replaced")

    def _rested_turn(self) -> bool:
        """Take a turn, and rest as long as it took: events that gather meanwhile cost less together
        (LONGEST_REST_S).
        """
        started = time.monotonic()
        worked = self._turn()
        if worked and not self._projecting.behind:
            time.sleep(min(time.monotonic() - started, LONGEST_REST_S))
        return worked

    def _turn(self) -> bool:
        try:
            worked = run(self._projecting.turn())
        except (StoreUnavailable, LogUnavailable, *UNAVAILABLE) as error:
            # The batch had no effect; it is retried without a limit.
            if not self._unavailable:
                self._unavailable = str(error)
                self._say(Report(unavailable=self._unavailable))
            time.sleep(self._outage.wait_s(error))
            return True
        self._outage.end()
        if self._unavailable:
            self._unavailable = ""
            self._say(Report(ready=True))
        if worked:
            self._idle = False
        elif not self._idle:
            self._idle = True
            self._say(Report(idle=True))
        return worked

    def _listen(self, timeout: float) -> bool:
        """Read the server's lines; return False at the end of the input."""
        readable, _, _ = select.select([sys.stdin], [], [], timeout)
        if not readable:
            return True
        said = os.read(sys.stdin.fileno(), 65_536)
        while said and not said.endswith(b"\n"):
            said += os.read(sys.stdin.fileno(), 65_536)
        for line in said.split(b"\n"):
            if line:
                self._obey(self._commands.decode(line))
        self._idle = False  # a waiting command needs a report when nothing is left to do
        return bool(said)

    def _obey(self, command: Command) -> None:
        if command.damaged:
            raise ViewsDamaged(self.views.path, "found by a reader")
        if command.reload_keys:
            self._sealer.masters = MasterKeys.load(self._master_key)
            self._say(Report(number=command.number))
            return
        try:
            if command.cancel:
                self._say(Report(number=command.number, cancelled=self._projecting.cancel()))
            elif command.retry is not None:
                self._say(Report(number=command.number, mended=run(self._projecting.retry(command.retry))))
            elif command.take_discards:
                self._say(Report(number=command.number, mended=run(self._projecting.take_discards())))
            else:
                run(self._projecting.rebuild(command.rebuild, back=command.back))
        except (LettersLeft, CorruptLog) as error:  # a hole in the log does not affect live groups behind it
            self._say(Report(number=command.number, refused=str(error), code=UNFIT))
        except NOT_DONE as error:
            self._say(Report(number=command.number, refused=str(error)))
        except (StoreUnavailable, LogUnavailable, *UNAVAILABLE) as error:
            self._say(Report(number=command.number, refused=f"{self.views.path} cannot be written: {error}", code=DISK))

    def _tell_letters(self, group: str) -> None:
        stopped = self._projecting.stopped
        if stopped != self._stopped:
            self._stopped = dict(stopped)
            self._say(Report(stopped=self._stopped))
        self._say(Report(letters={group: self._projecting.waiting(group)}))

    def _advanced(self, group: str, positions: Positions, events: int) -> None:
        self._say(Report(group=group, positions=str(positions), events=events, wal_bytes=self._checkpoints.wal_bytes))

    def _progressed(self, progress: RebuildProgress) -> None:
        now = time.monotonic()
        if progress.state == "building" and now - self._progress_at < 0.1:
            return
        self._progress_at = now
        switched = progress.state == "comparing"
        self._say(Report(progress=progress, generations=self._generations() if switched else None))

    def _generations(self) -> dict[str, tuple[int, int]]:
        return {model: (number, self.views.models[model].version) for model, number in self.views.generations().items()}

    def _say(self, report: Report) -> None:
        sys.stdout.buffer.write(self._encode(report) + b"\n")
        sys.stdout.buffer.flush()


def _inode(path: Path) -> int | None:
    """Return the inode of a path; None if there is no file."""
    try:
        return path.stat().st_ino
    except FileNotFoundError:
        return None


def take_over(directory: Path) -> Ownership:
    """Become the owner of views.db, after the process of a killed server has stopped. Raises AlreadyOwned."""
    deadline = time.monotonic() + TAKEOVER_S
    while True:
        try:
            return Ownership(directory, "views.lock")
        except AlreadyOwned:
            if time.monotonic() > deadline:
                raise
            time.sleep(0.02)


def _end(report: Report) -> NoReturn:
    sys.stdout.buffer.write(msgspec.json.encode(report) + b"\n")
    sys.stdout.buffer.flush()
    sys.exit(report.code)


def main() -> None:
    """Run until standard input ends. Exit codes 3 to 5 mean that a restart would not help."""
    parser = argparse.ArgumentParser(prog="minitwitter-projecting", description=__doc__)
    parser.add_argument("--data", type=Path, required=True)
    parser.add_argument("--master-key", type=Path, required=True)
    parser.add_argument("--serving-batch", type=int, required=True)
    parser.add_argument("--turn-ms", type=float, required=True)
    parser.add_argument("--wal-mib", type=int, required=True)
    given = parser.parse_args()
    # Ctrl-C reaches the whole terminal group; the server stops this process after its last write.
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    signal.signal(signal.SIGTERM, signal.SIG_IGN)
    try:
        ownership = take_over(given.data)
        try:
            _project(given)
        finally:
            ownership.release()
    except BrokenPipeError:  # the server has ended
        os._exit(0)
    except FATAL as error:
        _end(Report(fatal=str(error), code=IN_USE if isinstance(error, AlreadyOwned) else UNFIT))
    except (LogUnavailable, StoreUnavailable, *UNAVAILABLE) as error:
        _end(Report(fatal=f"{given.data / 'views.db'} cannot be written: {error}", code=DISK))
    except apsw.Error as error:
        sys.stderr.write(f"views.db: {error}\n")
        raise


def _project(given: argparse.Namespace) -> None:
    """Run as the owner of views.db. If the file is damaged or gone, set it aside, so that the next process
    rebuilds it.
    """
    try:
        ProjectorProcess(
            given.data,
            serving_batch=given.serving_batch,
            turn_s=given.turn_ms / 1000,
            wal_mib=given.wal_mib,
            master_key=given.master_key,
        ).run()
    except ViewsRemoved as how:
        aside = set_aside(given.data)
        kept = f", and the file in its place is kept as {aside.name}" if aside else ""
        _end(Report(remade=f"views.db was {how} under the server: the read models are made anew{kept}"))
    except ViewsDamaged as damage:
        set_aside(given.data, DAMAGED)
        why = f"views.db is damaged ({damage.why}): the read models are made anew, and the file is kept as {DAMAGED}"
        _end(Report(remade=why))


if __name__ == "__main__":
    main()
