"""The server's handle of the projecting process: starts it, wakes it, reads its reports, restarts it."""

from __future__ import annotations

import asyncio
import contextlib
from collections.abc import AsyncGenerator, Callable, Collection, Iterator
from pathlib import Path
from typing import Any

import msgspec

from events.log import Positions
from runtime import metrics
from runtime.child_process import command, environment
from runtime.dead_letters import Choice, Mended, Waiting
from runtime.embedded.projector_process import DISK, UNFIT, Command, Report
from runtime.embedded.read_positions import ReadPositions
from runtime.rebuild_progress import RebuildProgress
from runtime.telemetry import logger
from stores.sqlite.damage import ViewsDamaged

_SLOWEST_RESTART_S = 5.0
_STEADY_S = 30.0
"""After so many seconds without a fault the next restart is immediate again."""
_MOST_REMADE = 5
"""views.db is rebuilt at most so often in a row; after that its cause would damage it again."""


class ProjectingFailed(Exception):
    """The projecting process cannot run, or could not do a command; the message says why.

    `code` is the exit code of the command.
    """

    def __init__(self, reason: str, code: int = 1) -> None:
        super().__init__(reason)
        self.code = code


class ProjectingProcess:
    """Keeps one projecting process running between `start` and `stop`."""

    def __init__(self, directory: Path, arguments: Collection[str], applied: ReadPositions) -> None:
        self._arguments = ["--data", str(directory), *arguments]
        self._applied = applied
        self._log = logger("minitwitter.projecting")
        self._process: asyncio.subprocess.Process | None = None
        self._keeper: asyncio.Task[None] | None = None
        self._stopping = False
        self._decode = msgspec.json.Decoder(Report).decode
        self._ready: asyncio.Future[None] = asyncio.get_running_loop().create_future()
        self._listeners: list[asyncio.Queue[Report]] = []
        self._asked = 0
        self._damaged = False
        self.rebuilds: dict[tuple[str, ...], RebuildProgress] = {}
        """The running rebuilds and their progress."""
        self._ended = False
        self._gone: Report | None = None
        """Why the last process ended; None while one runs."""
        self.detail = "views.db is being opened"
        """Why the views do not advance now; empty if they do."""
        self.generations: dict[str, tuple[int, int]] = {}
        self.on_generations: Callable[[dict[str, tuple[int, int]]], None] = lambda generations: None
        self.wal_bytes = 0
        self.letters: dict[str, Waiting] = {}
        """The dead letters of each group that has had any."""
        self.stopped: dict[str, str] = {}
        """The groups that stopped because too many records failed, and what to do about them."""
        self.building: dict[str, float] = {}
        """The read models that are being rebuilt, and the share of the log that each has applied."""
        self._idle = asyncio.Event()

    @property
    def pid(self) -> int | None:
        """The process id, while it runs."""
        return None if self._process is None else self._process.pid

    @property
    def serves(self) -> bool:
        """Whether the views can be read: they were opened once, and the process has not ended for good."""
        return self._ready.done() and not self._ended

    @property
    def ended(self) -> Report | None:
        """Why the process ended for good; None while it runs or is being restarted."""
        return self._gone if self._ended else None

    async def start(self) -> None:
        """Start it; `ready` waits until it has opened its data."""
        await self._spawn()
        self._keeper = asyncio.create_task(self._keep())

    async def ready(self) -> None:
        """Wait until it advances the views. Raises ProjectingFailed."""
        await asyncio.shield(self._ready)

    def wake(self) -> None:
        """Notify it that something was appended."""
        self._idle.clear()
        self._write(b"\n")

    def check(self) -> None:
        """Raise ProjectingFailed if no process runs that could execute a command."""
        if self._stopping:
            raise ProjectingFailed("the server stops")
        if self._gone is not None:
            _check(self._gone, self._asked)

    async def settled(self, timeout: float) -> None:
        """Wait until every event is applied and no stream has work due.

        Gives up after `timeout` seconds: under steady writes there may be no such moment.
        """
        with contextlib.suppress(TimeoutError):
            await asyncio.wait_for(self._idle.wait(), timeout)

    async def rebuild(self, models: Collection[str], back: bool) -> AsyncGenerator[RebuildProgress, None]:
        """Rebuild read models; return when all are done. Raises ProjectingFailed if it is refused or fails."""
        waiting = set(models)
        with self._reports() as reports:
            number = self._ask(rebuild=tuple(models), back=back)
            while waiting:
                report = await reports.get()
                _check(report, number)
                progress = report.progress
                if progress is not None and waiting.intersection(progress.models):
                    if progress.state == "failed":
                        raise ProjectingFailed(progress.detail, UNFIT)
                    if progress.state == "cancelled":
                        raise ProjectingFailed(f"the rebuild of {', '.join(progress.models)} was cancelled")
                    yield progress
                    if progress.state == "done":
                        waiting.difference_update(progress.models)

    def damaged(self) -> None:
        """Have views.db rebuilt: a reader has found damage in it."""
        if not self._damaged and self._gone is None and not self._stopping:
            self._ask_for_new_ones()

    def _ask_for_new_ones(self) -> None:
        self._damaged = True
        self._asked += 1
        self._write(msgspec.json.encode(Command(self._asked, damaged=True)) + b"\n")

    async def cancel_rebuilds(self) -> tuple[str, ...]:
        """Cancel all rebuilds and return their read models. Raises ProjectingFailed."""
        return (await self._answer(cancel=True)).cancelled or ()

    async def retry(self, choice: Choice) -> Mended:
        """Retry dead letters. Raises ProjectingFailed."""
        return (await self._answer(retry=choice)).mended or Mended()

    async def take_discards(self) -> Mended:
        """Drop the dead letters that the log says are discarded. Raises ProjectingFailed."""
        return (await self._answer(take_discards=True)).mended or Mended()

    async def reload_keys(self) -> None:
        """Have the master key file read again. Raises ProjectingFailed."""
        await self._answer(reload_keys=True)

    async def _answer(self, **asked: Any) -> Report:
        """Return the answer to a command. Raises ProjectingFailed if it is refused, or if the process ends first."""
        with self._reports() as reports:
            number = self._ask(**asked)
            while True:
                report = await reports.get()
                _check(report, number)
                if report.number == number:
                    return report

    @contextlib.contextmanager
    def _reports(self) -> Iterator[asyncio.Queue[Report]]:
        """Yield the reports from now on."""
        reports: asyncio.Queue[Report] = asyncio.Queue()
        self._listeners.append(reports)
        try:
            yield reports
        finally:
            self._listeners.remove(reports)

    async def stop(self, timeout: float) -> None:
        """Let it commit its current batch, then end it; after `timeout` seconds kill it."""
        self._stopping = True
        process = self._process
        if process is not None and process.stdin is not None:
            process.stdin.close()
        if self._keeper is not None:
            try:
                await asyncio.wait_for(asyncio.shield(self._keeper), timeout)
            except TimeoutError:
                if process is not None:
                    with contextlib.suppress(ProcessLookupError):
                        process.kill()
                await self._keeper

    def _ask(self, **asked: Any) -> int:
        """Send a command and return its number, which the answer repeats. Raises ProjectingFailed if no
        process runs.
        """
        self.check()
        self._asked += 1
        self._write(msgspec.json.encode(Command(self._asked, **asked)) + b"\n")
        return self._asked

    def _write(self, line: bytes) -> None:
        process = self._process
        if process is not None and process.stdin is not None and not process.stdin.is_closing():
            process.stdin.write(line)

    async def _spawn(self) -> None:
        self._process = await asyncio.create_subprocess_exec(
            *command("runtime.embedded.projector_process"),
            *self._arguments,
            stdin=asyncio.subprocess.PIPE,
            stdout=asyncio.subprocess.PIPE,
            env=environment(),
            limit=1 << 22,
        )

    async def _keep(self) -> None:
        pause, remade = 0.1, 0
        while True:
            started = asyncio.get_running_loop().time()
            last = await self._hear()
            assert self._process is not None
            code = await self._process.wait()
            if self._stopping:
                self._tell(Report(fatal="the server stops"))
                return
            steady = asyncio.get_running_loop().time() - started > _STEADY_S
            remade = (0 if steady else remade) + bool(last.remade)
            if remade > _MOST_REMADE:
                last = Report(fatal=f"{last.remade}; so it went {remade} times: look at the disk", code=UNFIT)
            why = last.fatal or last.remade
            self.detail = why or f"the projecting process ended with {code}; it is being started again"
            self.rebuilds.clear()
            self._gone = Report(fatal=self.detail, code=last.code)
            self._tell(self._gone)
            if last.remade:
                self._log.warning("the read models are made from nothing", detail=why)
            else:
                self._log.error("the projecting process ended", code=code, detail=why)
            waits = self._ready.done() and last.code == DISK  # a full disk will have room again
            if last.fatal and not waits:
                self._ended = True
                if not self._ready.done():
                    self._ready.set_exception(ProjectingFailed(last.fatal, last.code))
                return
            if steady:
                pause = 0.1
            await asyncio.sleep(pause)
            if self._stopping:
                return
            pause = min(_SLOWEST_RESTART_S, pause * 2)
            metrics.PROJECTING_RESTARTS.inc()
            self.stopped = {}  # the next process reports the groups that it stops
            await self._spawn()
            self._gone = None

    async def _hear(self) -> Report:
        """Read the reports of the process until it ends; return why it ended, if it said so."""
        assert self._process is not None
        assert self._process.stdout is not None
        last = Report()
        async for line in self._process.stdout:
            report = self._decode(line)
            self._take_in(report)
            if report.fatal or report.remade or report.ready:
                last = report
        return last

    def _take_in(self, report: Report) -> None:
        if report.generations is not None:
            self.generations = report.generations
            try:
                self.on_generations(report.generations)
            except ViewsDamaged:
                self._ask_for_new_ones()
                return
        if report.group:
            self.wal_bytes = report.wal_bytes
            metrics.APPLIED.labels(report.group).inc(report.events)
            self._applied.advance(report.group, Positions.parse(report.positions))
        elif report.ready:
            self.detail = ""
            self._damaged = False
            if not self._ready.done():
                self._ready.set_result(None)
        elif report.unavailable:
            self.detail = report.unavailable
            self._log.error("the views cannot be written", detail=report.unavailable)
        if report.progress is not None:
            self._rebuild_progress(report.progress)
        if report.idle:
            self._idle.set()
        if report.letters is not None:
            self._take_letters(report.letters)
        if report.stopped is not None:
            self.stopped = report.stopped
            for sentence in self.stopped.values():
                self._log.error("read models are not advanced", detail=sentence)
        if not report.group:
            self._tell(report)

    def _take_letters(self, letters: dict[str, Waiting]) -> None:
        for group, waiting in letters.items():
            before = self.letters.get(group, Waiting())
            metrics.DEAD_LETTERS.labels(group).set(waiting.failed)
            metrics.SET_ASIDE.labels(group).inc(max(0, waiting.total - before.total))
            if waiting.failed > before.failed:
                self._log.error("a record was set aside", detail=waiting.sentence(group))
        self.letters |= letters

    def _rebuild_progress(self, progress: RebuildProgress) -> None:
        if progress.state in ("building", "comparing"):
            self.rebuilds[progress.models] = progress
        else:
            self.rebuilds.pop(progress.models, None)
        share = progress.done / progress.total if progress.total else 1.0
        if not self._ready.done():
            self.detail = f"{', '.join(progress.models)} brought up to date: {share:.0%}"
        for model in progress.models:
            if progress.models not in self.rebuilds:
                self.building.pop(model, None)
                with contextlib.suppress(KeyError):
                    metrics.REBUILD_PROGRESS.remove(model)
            else:
                self.building[model] = share
                metrics.REBUILD_PROGRESS.labels(model).set(share)

    def _tell(self, report: Report) -> None:
        for listener in self._listeners:
            listener.put_nowait(report)


def _check(report: Report, number: int) -> None:
    """Raise ProjectingFailed if the report says that the command of this number was refused, or that the
    process ended.
    """
    if report.fatal or (report.refused and report.number == number):
        raise ProjectingFailed(report.refused or report.fatal, report.code)
