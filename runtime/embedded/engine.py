"""A data directory in use: the system, the process that advances its views, and the requests of commands.

`minitwitter serve` is an engine behind an HTTP server. A command that finds no server starts an engine of its own and
works in the same way.
"""

from __future__ import annotations

import asyncio
import contextlib
import shutil
from collections.abc import AsyncIterator, Callable, Coroutine
from functools import partial
from pathlib import Path
from typing import Any

from command_api.deciding import Refused
from events.log import LogUnavailable
from events.sealing import MasterKeys
from events.sqlite.connection import available
from runtime import metrics
from runtime.dead_letters import NothingToDiscard
from runtime.embedded.control import (
    AskStatus,
    AwaitCurrent,
    CancelRebuilds,
    DiscardLetters,
    Done,
    Failed,
    GiveUpRecords,
    Lagging,
    Letters,
    LettersMended,
    Rebuilding,
    RebuildModels,
    RebuildStatus,
    Reply,
    Request,
    RetryLetters,
    RotateMaster,
    RotateSigning,
    Token,
    Told,
)
from runtime.embedded.dead_letters import discard, give_up
from runtime.embedded.projector_handle import ProjectingFailed, ProjectingProcess
from runtime.embedded.projector_process import UNFIT
from runtime.embedded.token_issuer import issue_token
from runtime.importing.importer import Importer
from runtime.importing.messages import Import
from runtime.operator_requests import Claim, GiveRole, NoteOpening, OperatorRequest, execute
from runtime.quantities import counted
from runtime.readiness import Part
from runtime.settings import Settings
from runtime.status import Status, group_part, group_told
from runtime.telemetry import logger
from stores.groups import ANALYTICS, SERVING
from stores.sink import StoreUnavailable
from stores.sqlite.damage import ViewsDamaged
from stores.sqlite.views import NoViews

from .housekeeping import keep_tidy
from .lag import Lag
from .log_db import Ownership
from .models import ALL_TABLES
from .processors import UnknownModel, group_of
from .status import letters_of, models, read_models_part, told_of
from .system import System

LEAST_FREE = 1 << 20
"""Bytes: with less free space, any commit may fail."""
_REWRAPPED_AT_ONCE = 200
_LOOK_S = 0.05
LONGEST_STANDSTILL_S = 60.0
"""No batch takes so long: read models that have not moved for so long will not."""
_LONGEST_SETTLING_S = 10.0


class Engine:
    """A data directory in use. `requests` returns the number of requests answered: imports pause while it grows."""

    def __init__(self, settings: Settings, requests: Callable[[], int] = lambda: 0) -> None:
        self.settings = settings
        self._log = logger("minitwitter.engine")
        self._ownership = Ownership(settings.data)
        try:
            with available(settings.data / "log.db"):
                self.system = System(settings)
        except BaseException:
            self._ownership.release()
            raise
        self._checkpoints = self.system.log_db.checkpoint(settings.log_wal_mib)
        self.projecting = ProjectingProcess(settings.data, self._arguments(), self.system.applied)
        self.lag = Lag(self.system.applied, self.system.log_db.writer.ends, self.system.timer)
        self.system.applied.lags = self.lag.behind
        self._importer = Importer(self.system.commands, requests, self.system.timer)
        self._tasks: set[asyncio.Task[None]] = set()
        self._rotation = asyncio.Lock()
        self._mending = asyncio.Lock()

    def _arguments(self) -> list[str]:
        settings = self.settings
        return [
            "--master-key",
            str(self._master_key),
            "--serving-batch",
            str(settings.serving_batch),
            "--turn-ms",
            str(settings.analytics_turn_ms),
            "--wal-mib",
            str(settings.views_wal_mib),
        ]

    @property
    def _master_key(self) -> Path:
        return self.settings.master_key_file or self.settings.data / "master.key"

    async def start(self) -> None:
        """Start the projecting process, without waiting for it."""
        commits = self.system.log_db.commits
        commits.on_commit += [self.projecting.wake, self.lag.appended]
        commits.observe_commit = _observe_commit
        self.projecting.on_generations = self._follow
        self._publish()
        await self.projecting.start()

    async def ready(self) -> None:
        """Wait until reads can be served. Raises ProjectingFailed."""
        await self.projecting.ready()
        try:
            await self.system.media.prepare()
        except StoreUnavailable as error:  # everything but media works; media answer 503 until the store is back
            self._log.warning("the store of media is unavailable", detail=str(error))
        self._spawn(keep_tidy(self.system))

    async def stop(self) -> None:
        """Finish running work and close the command side, the views, checkpoints and the lock."""
        for task in tuple(self._tasks):
            task.cancel()
        await asyncio.gather(*self._tasks, return_exceptions=True)
        with contextlib.suppress(LogUnavailable):
            while await self.system.usage.flush():
                pass
        await self.system.log_db.commits.close()
        await self.projecting.stop(self.settings.shutdown_s / 2)
        await self.system.close()
        self._ownership.release()

    def _spawn(self, work: Coroutine[Any, Any, None]) -> None:
        task = asyncio.create_task(work)
        self._tasks.add(task)
        task.add_done_callback(self._tasks.discard)

    def _follow(self, generations: dict[str, tuple[int, int]]) -> None:
        self.system.open_views(generations)
        self._spawn(self._record_switches())

    async def _record_switches(self) -> None:
        try:
            await self.system.record_switches()
        except Exception as error:  # recorded again at the next start
            self._log.warning("a switched read model is not in the log yet", detail=str(error))

    def _publish(self) -> None:
        for group in (SERVING, ANALYTICS):
            metrics.LAGS[group] = partial(self.lag.by_place, group)
        self.lag.applied_after = lambda group, seconds: metrics.FRESHNESS.labels(group).observe(seconds)
        metrics.DISK_FREE.set_function(lambda: shutil.disk_usage(self.settings.data).free)
        metrics.WAL_BYTES.labels("log").set_function(lambda: self._checkpoints.wal_bytes)
        metrics.WAL_BYTES.labels("views").set_function(lambda: self.projecting.wal_bytes)

    def look_into(self, fault: BaseException) -> None:
        """Examine an error of a request: if views.db is damaged, have it rebuilt."""
        if isinstance(fault, ViewsDamaged):
            self.projecting.damaged()

    def parts(self) -> list[Part]:
        """Return the parts for /readyz: the log, and the process that advances the read models."""
        free = shutil.disk_usage(self.settings.data).free
        full = f"{free >> 10} KiB are free on the disk of {self.settings.data}" if free < LEAST_FREE else ""
        return [Part.of("log", down=full), self._read_models(), self._dead_letters()]

    def _dead_letters(self) -> Part:
        sentences = (waiting.sentence(group) for group, waiting in self.projecting.letters.items())
        return Part.of("dead letters", degraded="; ".join(filter(None, sentences)))

    def _read_models(self) -> Part:
        projecting = self.projecting
        return read_models_part(
            projecting.detail,
            serves=projecting.serves,
            stopped="; ".join(projecting.stopped.values()),
            behind=self.lag.detail(),
        )

    # Requests of commands

    async def handle(self, request: Request) -> AsyncIterator[Reply]:
        """Execute a request of a command."""
        match request:
            case AskStatus():
                yield Told(await self._status())
            case Import():
                yield await self._importer.execute(request)
            case RebuildModels():
                async for reply in self._rebuild(request):
                    yield reply
            case RebuildStatus():
                for progress in tuple(self.projecting.rebuilds.values()):
                    yield Rebuilding(progress)
            case CancelRebuilds():
                yield await self._cancel_rebuilds()
            case AwaitCurrent():
                async for reply in self._await_current():
                    yield reply
            case RetryLetters() | DiscardLetters() | GiveUpRecords():
                yield await self._mend(request)
            case Claim() | GiveRole() | NoteOpening():
                yield await self._decide(request)
            case Token():
                yield await issue_token(self.system, request)
            case RotateMaster():
                try:
                    yield await self._rotate_master()
                except ProjectingFailed as error:
                    yield Failed(str(error), error.code)
            case RotateSigning():
                await asyncio.to_thread(self.system.signing_keys.rotate)
                yield Done(f"access tokens are signed with key {self.system.signing_keys.current.kid} from now on")

    async def _status(self) -> Status:
        projecting, views = self.projecting, self.system.views
        generations = {model: generation for model, (generation, _) in projecting.generations.items()}
        groups = []
        for name in (SERVING, ANALYTICS):
            behind = self.lag.of(name)
            try:
                letters = None if views is None else await letters_of(views.connection, name)
            except ViewsDamaged as damage:
                self.look_into(damage)
                letters = None
            unavailable = projecting.detail or projecting.stopped.get(name, "")
            part = group_part(name, unavailable=unavailable, behind=behind, letters=letters)
            groups.append(group_told(part, behind, letters, models(name, generations, projecting.building)))
        return told_of(self.settings.data, self.parts(), groups, f"{self.settings.host}:{self.settings.port}")

    async def _rebuild(self, request: RebuildModels) -> AsyncIterator[Reply]:
        models = request.models or tuple(tables.model for tables in ALL_TABLES)
        try:
            for model in models:
                group_of(model)
            async with contextlib.aclosing(self.projecting.rebuild(models, request.back)) as steps:
                async for progress in steps:
                    yield Rebuilding(progress)
        except UnknownModel as error:
            yield Failed(str(error))
        except ProjectingFailed as error:
            yield Failed(str(error), error.code)

    async def _cancel_rebuilds(self) -> Reply:
        try:
            models = await self.projecting.cancel_rebuilds()
        except ProjectingFailed as error:
            return Failed(str(error), error.code)
        return Done(f"cancelled the rebuild of {', '.join(models)}" if models else "nothing is being rebuilt")

    async def _mend(self, request: Letters) -> Reply:
        async with self._mending:
            try:
                if isinstance(request, RetryLetters):
                    return LettersMended(await self.projecting.retry(request.choice))
                if isinstance(request, GiveUpRecords):
                    await give_up(self.system, request.discards)
                else:
                    await discard(self.system, request.choice)
                return LettersMended(await self.projecting.take_discards())
            except (NothingToDiscard, ValueError, LogUnavailable) as error:
                return Failed(str(error))
            except (NoViews, ViewsDamaged) as error:
                self.look_into(error)
                return Failed(str(error), UNFIT)
            except ProjectingFailed as error:
                return Failed(str(error), error.code)

    async def _await_current(self) -> AsyncIterator[Reply]:
        ends = self.system.log_db.writer.ends()
        positions = self.system.applied.positions
        applied, moved = -1, self.system.timer()
        while not all(positions[group].covers(ends) for group in (SERVING, ANALYTICS)):
            if self.projecting.ended is not None:
                yield Failed(self.projecting.ended.fatal, self.projecting.ended.code)
                return
            if self.projecting.stopped:
                yield Failed("; ".join(self.projecting.stopped.values()), UNFIT)
                return
            now = sum(sum(positions[group].values()) for group in (SERVING, ANALYTICS))
            if now != applied:
                applied, moved = now, self.system.timer()
            elif self.system.timer() - moved > LONGEST_STANDSTILL_S:
                why = self.projecting.detail or "the log of the server says more"
                behind = counted(self.lag.of(SERVING).events, "event")
                yield Failed(f"the read models stand still, {behind} behind the log: {why}")
                return
            yield Lagging(max(self.lag.of(group).events for group in (SERVING, ANALYTICS)))
            await asyncio.sleep(_LOOK_S)
        await self.projecting.settled(_LONGEST_SETTLING_S)

    async def _decide(self, request: OperatorRequest) -> Reply:
        try:
            return Done(await execute(self.system.commands, lambda: self.system.passwords, request))
        except Refused as refusal:
            return Failed(str(refusal))

    async def _rotate_master(self) -> Reply:
        """Store a new master key beside the old one, wrap every key with it, then remove the old one.

        If this is interrupted, the file still opens every key, and rotating again completes it.
        """
        async with self._rotation:
            self.projecting.check()
            db, path = self.system.log_db, self._master_key
            masters = MasterKeys.generate(older=db.sealer.masters)
            masters.save(path)
            # It must know the new key before it reads a subject's key wrapped with it.
            await self.projecting.reload_keys()
            db.sealer.masters = masters
            total = 0
            while wrapped := await db.commits.run(lambda: db.keys.rewrap(masters, _REWRAPPED_AT_ONCE)):
                total += wrapped
                await asyncio.sleep(0)
            db.sealer.masters = masters.only_current()
            db.sealer.masters.save(path)
            return Done(f"{total} keys are wrapped with master key {masters.current}; back up {path} now")


def _observe_commit(seconds: float, pieces: int) -> None:
    metrics.APPEND_SECONDS.observe(seconds)
    metrics.COMMIT_COMMANDS.observe(pieces)
