"""Group commit: many waiting transactions, one fsync.

Work runs on the event loop, one piece after the other inside one SQLite transaction; only the commit, which waits for
the disk, leaves the loop. While a commit is under way new work gathers, and goes into the next transaction together:
at 64 waiting writers one fsync serves them all (docs/adr: SQLite log). Each piece of work sees what the ones before
it wrote, and is answered when what it wrote is on disk.
"""

from __future__ import annotations

import asyncio
import time
from collections import deque
from collections.abc import Awaitable, Callable
from typing import Any, Generic, TypeVar

import apsw

from ..log import CorruptLog, LogUnavailable
from .connection import UNAVAILABLE, corrupt

T = TypeVar("T")
OffLoop = Callable[[Callable[[], None]], Awaitable[None]]
"""Runs a blocking function somewhere else and waits for it; simulations run it where they stand."""

MOST_IN_ONE_COMMIT = 512
LONGEST_TURN_S = 0.004
"""So that a long queue does not keep the event loop from everything else."""


class _Waiting(Generic[T]):
    __slots__ = ("future", "result", "work")

    def __init__(self, work: Callable[[], T], future: asyncio.Future[T]) -> None:
        self.work = work
        self.future = future
        self.result: T


class GroupCommit:
    """Runs work on one connection that nobody else writes with.

    `on_commit` is called on the loop after each commit, before the waiting are answered; `on_rollback` after a
    transaction came to nothing, so that whoever keeps state beside the database can read it again.
    """

    def __init__(self, connection: apsw.Connection, off_loop: OffLoop) -> None:
        self.connection = connection
        self._off_loop = off_loop
        self._queue: deque[_Waiting[Any]] = deque()
        self._running: asyncio.Task[None] | None = None
        self.on_commit: list[Callable[[], None]] = []
        self.on_rollback: list[Callable[[], None]] = []
        self.observe_commit: Callable[[float, int], None] = lambda seconds, pieces: None
        self.between: Callable[[], Callable[[], None] | None] = lambda: None
        """Asked ahead of each transaction for work that wants the connection while no transaction is open."""

    async def run(self, work: Callable[[], T]) -> T:
        """Run `work` inside a transaction and answer with its result once that is durable.

        `work` must raise before it writes, or not at all: then the error is its caller's alone. Raises
        LogUnavailable when the disk refuses; then nothing that shared the transaction took effect.
        """
        future: asyncio.Future[T] = asyncio.get_running_loop().create_future()
        self._queue.append(_Waiting(work, future))
        if self._running is None:
            self._running = asyncio.ensure_future(self._drain())
        return await future

    async def close(self) -> None:
        """Finish what was begun."""
        while self._running is not None:
            await self._running

    async def _drain(self) -> None:
        try:
            while self._queue:
                work = self.between()
                if work is not None:
                    await self._off_loop(work)
                await self._transaction()
        finally:
            self._running = None
            if self._queue:  # something came in while the last commit was being answered
                self._running = asyncio.ensure_future(self._drain())

    async def _transaction(self) -> None:
        done: list[_Waiting[Any]] = []
        try:
            self.connection.execute("BEGIN IMMEDIATE")
            self._run_waiting(done)
            started = time.perf_counter()
            await self._off_loop(self._commit)
            self.observe_commit(time.perf_counter() - started, len(done))
        except BaseException as error:
            self._roll_back()
            failure = self._explain(error)
            for waiting in done:
                if not waiting.future.done():
                    waiting.future.set_exception(failure)
            if not isinstance(error, Exception):
                raise
            return
        for callback in self.on_commit:
            callback()
        for waiting in done:
            if not waiting.future.done():
                waiting.future.set_result(waiting.result)

    def _run_waiting(self, done: list[_Waiting[Any]]) -> None:
        deadline = time.perf_counter() + LONGEST_TURN_S
        while self._queue and len(done) < MOST_IN_ONE_COMMIT:
            waiting = self._queue.popleft()
            if waiting.future.cancelled():
                continue
            before = self.connection.total_changes()
            try:
                waiting.result = waiting.work()
            except Exception as error:
                if isinstance(error, apsw.Error) or self.connection.total_changes() != before:
                    done.append(waiting)
                    raise
                waiting.future.set_exception(error)
                continue
            done.append(waiting)
            if time.perf_counter() > deadline:
                break

    def _commit(self) -> None:
        self.connection.execute("COMMIT")

    def _roll_back(self) -> None:
        if self.connection.in_transaction:
            self.connection.execute("ROLLBACK")
        for callback in self.on_rollback:
            callback()

    def _explain(self, error: BaseException) -> BaseException:
        if isinstance(error, UNAVAILABLE):
            return LogUnavailable(f"the log cannot be written: {error}")
        if isinstance(error, (apsw.CorruptError, apsw.NotADBError)):
            return corrupt_of(self.connection, error)
        return error


def corrupt_of(connection: apsw.Connection, error: Exception) -> CorruptLog:
    """The damage that a connection found."""
    from pathlib import Path

    return corrupt(Path(connection.filename), error)
