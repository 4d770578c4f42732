"""Keeps one group of processors at work: restarts it with backoff after a failure, without affecting other groups.

Only an error that no restart repairs stops it; the other groups continue.
"""

from __future__ import annotations

import asyncio
import contextlib
import random
import time
from collections.abc import Callable, Iterable
from typing import Protocol

from runtime import metrics
from runtime.readiness import Part
from runtime.telemetry import logger
from stores.sink import SinkMoved

FIRST_S, LONGEST_S = 0.5, 30.0
"""The first and the longest wait before a restart, in seconds; each is twice the one before."""
STEADY_S = 60.0
"""After so many seconds of work the next wait is the first one again."""


async def all_ended(tasks: Iterable[asyncio.Task[None]]) -> list[BaseException]:
    """Wait for supervisors to end; return the errors with which some stopped, which are logged already.

    asyncio would print an error that nobody has retrieved.
    """
    tasks = tuple(tasks)
    await asyncio.wait(tasks)
    return [error for task in tasks if (error := task.exception()) is not None]


class Worker(Protocol):
    """One worker of a group: created, run once, and replaced after a failure."""

    detail: str
    """Why it does not work; empty if it does."""

    async def run(self) -> None:
        """Work until `stop`. Raises the processors' errors."""
        ...

    def stop(self) -> None:
        """Finish the current batch."""
        ...


class EndedByItself(Exception):
    """A worker has ended although nobody stopped it."""


class Supervisor:
    """Runs a group's workers, one after the other.

    `final` are the errors that no restart repairs; `degraded` says what the group's rows lack. `random` returns numbers
    from 0 to 1, so that groups that failed together do not restart at once.
    """

    def __init__(
        self,
        name: str,
        make: Callable[[], Worker],
        final: tuple[type[Exception], ...] = (),
        *,
        degraded: Callable[[], str] = lambda: "",
        first_s: float = FIRST_S,
        random: Callable[[], float] = random.random,
    ) -> None:
        self.name = name
        self._make = make
        self._final = final
        self._degraded = degraded
        self._first_s = first_s
        self._random = random
        self._worker: Worker | None = None
        self._failed = ""
        self._resting = False
        self._begun = 0.0
        self._stopped = ""
        self._stopping = asyncio.Event()
        self._log = logger("minitwitter.hosting")

    def part(self) -> Part:
        """The part of the group for /readyz. A group that failed is degraded until it has worked steadily again."""
        if self._stopped or self._resting:
            return Part.of(self.name, down=self._stopped or self._failed)
        if self._steady():
            self._failed = ""
        detail = "it is being started" if self._worker is None else self._worker.detail
        return Part.of(self.name, down=detail, degraded=self._failed or self._degraded())

    def _steady(self) -> bool:
        return time.monotonic() - self._begun > STEADY_S

    def stop(self) -> None:
        """Finish the current batch and end."""
        self._stopping.set()
        if self._worker is not None:
            self._worker.stop()

    async def run(self) -> None:
        """Work until `stop`. Raises one of `final`, which `part` then reports for good."""
        failures = 0
        while not self._stopping.is_set():
            self._begun, self._resting = time.monotonic(), False
            worker = self._worker = self._make()
            try:
                await worker.run()
                if self._stopping.is_set():
                    return
                raise EndedByItself("its worker ended by itself")
            except self._final as error:
                self._stopped = str(error)
                self._log.error("a group has stopped", group=self.name, why=str(error))
                raise
            except Exception as error:
                if isinstance(error, SinkMoved):
                    metrics.SINK_MOVED.labels(self.name).inc()
                failures = 1 if self._steady() else failures + 1
                await self._rest(error, self._wait_s(failures))

    def _wait_s(self, failures: int) -> float:
        return min(LONGEST_S, self._first_s * 2.0 ** (failures - 1)) * (1 + self._random()) / 2

    async def _rest(self, error: Exception, wait_s: float) -> None:
        why = str(error) if isinstance(error, SinkMoved) else f"{type(error).__name__}: {error}"
        news = not self._failed.startswith(why)
        self._failed, self._resting = f"{why}; it is started again by itself", True
        self._log.error(
            "a group failed and is started again",
            group=self.name,
            why=why,
            after_s=round(wait_s, 1),
            exc_info=error if news else None,
        )
        with contextlib.suppress(TimeoutError):
            await asyncio.wait_for(self._stopping.wait(), wait_s)
