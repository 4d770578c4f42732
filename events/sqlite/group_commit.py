"""Group commit: one fsync for many waiting transactions.

Work runs on the event loop, one piece after the other inside one SQLite transaction. Only the commit, which waits for
the disk, runs elsewhere. While a commit is in progress new work queues, and shares the next transaction: with 64
waiting writers one fsync serves them all (docs/adr/0001-sqlite-log.md). Each piece of work sees the writes of earlier
ones, and its caller is answered once its own writes are on disk.

Every caller is answered. If the disk refuses, all callers in the transaction get LogUnavailable. If one piece fails
after it wrote, its caller gets its error, and the others run again without it.
"""

from __future__ import annotations

import asyncio
import threading
import time
from collections import deque
from collections.abc import Awaitable, Callable
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any, Generic, TypeVar

import apsw

from ..log import LogUnavailable
from .connection import UNAVAILABLE, corrupt

T = TypeVar("T")
OffLoop = Callable[[Callable[[], None]], Awaitable[None]]
"""Runs a blocking function outside the event loop and waits for it; simulations run it on the loop."""

MOST_IN_ONE_COMMIT = 512
LONGEST_TURN_S = 0.004
"""The longest time that queued work may hold the event loop in one transaction."""

_DAMAGE = (apsw.CorruptError, apsw.NotADBError)
_NOT_THE_WORK = UNAVAILABLE + _DAMAGE
"""Errors of the disk or the file, not of the piece of work in which they were raised."""


class CommitThread:
    """An OffLoop with a thread of its own, so that no commit waits behind other slow work (bcrypt takes 200 ms)."""

    def __init__(self) -> None:
        self._pool = ThreadPoolExecutor(1, "commits")

    async def __call__(self, work: Callable[[], None]) -> None:
        """Run `work` in the thread."""
        await asyncio.get_running_loop().run_in_executor(self._pool, work)

    def close(self) -> None:
        """End the thread."""
        self._pool.shutdown()


class _Waiting(Generic[T]):
    __slots__ = ("error", "future", "result", "work")

    def __init__(self, work: Callable[[], T], future: asyncio.Future[T]) -> None:
        self.work = work
        self.future = future
        self.result: T
        self.error: Exception | None = None

    def tell(self) -> None:
        if self.error is not None:
            self.fail(self.error)
        elif not self.future.done():
            self.future.set_result(self.result)

    def fail(self, error: Exception) -> None:
        if not self.future.done():  # a cancelled caller waits no longer
            self.future.set_exception(error)


class _Spoiled(Exception):
    """A piece of work failed after it wrote. Its caller has the error; the transaction must be rolled back."""


class _Once:
    """A blocking step that can be called off. Afterwards `done` says whether it ran, and it never runs later.

    If a task is cancelled while it waits for a thread, both the task and the thread go on. Without this class, a
    rollback could run while the thread commits.
    """

    __slots__ = ("_lock", "_off", "_step", "done")

    def __init__(self, step: Callable[[], object]) -> None:
        self._step = step
        self._lock = threading.Lock()
        self._off = False
        self.done = False

    def __call__(self) -> None:
        with self._lock:
            if not self._off:
                self._step()
                self.done = True

    def call_off(self) -> None:
        """Wait for the step if it is running; otherwise make sure that it never runs."""
        with self._lock:
            self._off = True


class GroupCommit:
    """Runs work on a connection that has no other writer.

    `on_commit` callbacks run on the loop after each commit, before the callers are answered. `timer` counts seconds;
    simulations pass one that stands still.
    """

    def __init__(
        self, connection: apsw.Connection, off_loop: OffLoop, timer: Callable[[], float] = time.perf_counter
    ) -> None:
        self.connection = connection
        self._off_loop = off_loop
        self._timer = timer
        self._queue: deque[_Waiting[Any]] = deque()
        self._running: asyncio.Task[None] | None = None
        self._closed = False
        self.on_commit: list[Callable[[], None]] = []
        self.observe_commit: Callable[[float, int], None] = lambda seconds, pieces: None
        self.between: Callable[[], Callable[[], None] | None] = lambda: None
        """Called before each transaction; returns work that needs the connection without a transaction, or None."""

    async def run(self, work: Callable[[], T]) -> T:
        """Run `work` inside a transaction and return its result once it is durable.

        `work` may run several times, each time on the state that the others left; only the last run counts. An error of
        `work` goes to its caller alone. Raises LogUnavailable if the disk refuses; then nothing in the transaction took
        effect. Cancelling the call prevents only work that has not run yet.
        """
        if self._closed:
            raise LogUnavailable("the log is closed")
        future: asyncio.Future[T] = asyncio.get_running_loop().create_future()
        self._queue.append(_Waiting(work, future))
        if self._running is None:
            self._running = asyncio.ensure_future(self._drain())
        return await future

    async def close(self) -> None:
        """Finish the queued work, and refuse new work."""
        self._closed = True
        while self._running is not None:
            await asyncio.wait((self._running,))

    async def _drain(self) -> None:
        try:
            while self._queue:
                work = self.between()
                if work is not None:
                    await self._away(_Once(work))
                await self._transaction()
        except BaseException:  # the loop is being closed, or a callback failed: no caller may wait for ever
            while self._queue:
                self._queue.popleft().fail(LogUnavailable("the log is being closed"))
            raise
        finally:
            self._running = None

    async def _away(self, step: _Once) -> None:
        try:
            await self._off_loop(step)
        finally:
            step.call_off()

    async def _transaction(self) -> None:
        batch: list[_Waiting[Any]] = []
        commit = _Once(self._commit)
        try:
            self._begin(batch)
            self._run_waiting(batch)
            started = self._timer()
            await self._away(commit)
        except BaseException as error:
            if commit.done:  # cancelled while the disk was writing: the commit counts
                self._answer(batch)
            else:
                self._undo(batch, error)
            if not isinstance(error, Exception):
                raise
        else:
            self.observe_commit(self._timer() - started, len(batch))
            self._answer(batch)

    def _begin(self, batch: list[_Waiting[Any]]) -> None:
        try:
            if self.connection.in_transaction:  # a rollback failed
                self.connection.execute("ROLLBACK")
            self.connection.execute("BEGIN IMMEDIATE")
        except BaseException:
            batch += self._queue
            self._queue.clear()
            raise

    def _run_waiting(self, batch: list[_Waiting[Any]]) -> None:
        deadline = self._timer() + LONGEST_TURN_S
        while self._queue and len(batch) < MOST_IN_ONE_COMMIT:
            waiting = self._queue.popleft()
            if waiting.future.done():
                continue
            before = self.connection.total_changes()
            batch.append(waiting)
            waiting.error = None
            try:
                waiting.result = waiting.work()
            except _NOT_THE_WORK:
                raise
            except Exception as error:
                if isinstance(error, apsw.Error) or self.connection.total_changes() != before:
                    batch.pop().fail(error)
                    raise _Spoiled from error
                # It may depend on earlier writes, which the disk can still refuse: it is answered after the commit.
                waiting.error = error
            if not self.connection.in_transaction:  # SQLite rolled back, and the work suppressed the error
                raise apsw.FullError("the transaction was rolled back")
            if self._timer() > deadline:
                break

    def _commit(self) -> None:
        self.connection.execute("COMMIT")

    def _answer(self, batch: list[_Waiting[Any]]) -> None:
        try:
            for callback in self.on_commit:
                callback()
        finally:
            for waiting in batch:
                waiting.tell()

    def _undo(self, batch: list[_Waiting[Any]], error: BaseException) -> None:
        try:
            if self.connection.in_transaction:
                self.connection.execute("ROLLBACK")
        except apsw.Error:  # the next transaction tries the rollback again
            pass
        if isinstance(error, _Spoiled):
            self._queue.extendleft(reversed(batch))
            return
        for waiting in batch:
            waiting.fail(self._explain(error))

    def _explain(self, error: BaseException) -> Exception:
        if isinstance(error, _DAMAGE):
            return corrupt(Path(self.connection.filename), error)
        explained = LogUnavailable(f"the log cannot be written: {error}")
        explained.__cause__ = error
        return explained
