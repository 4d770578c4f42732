"""Group commit: many waiting transactions, one fsync.

Work runs on the event loop, one piece after the other inside one SQLite transaction; only the commit, which waits for
the disk, leaves the loop. While a commit is under way new work gathers, and goes into the next transaction together:
at 64 waiting writers one fsync serves them all (docs/adr: SQLite log). Each piece of work sees what the ones before
it wrote, and is answered when what it wrote is on disk.

Whatever happens, everyone who waits is answered: when the disk refuses, by LogUnavailable to all who shared the
transaction; when one piece fails after it wrote, by its error to that one, while the others run again without it.
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
"""Runs a blocking function somewhere else and waits for it; simulations run it where they stand."""

MOST_IN_ONE_COMMIT = 512
LONGEST_TURN_S = 0.004
"""So that a long queue does not keep the event loop from everything else."""

_DAMAGE = (apsw.CorruptError, apsw.NotADBError)
_NOT_THE_WORK = UNAVAILABLE + _DAMAGE
"""Errors that are no fault of the piece of work that met them."""


class CommitThread:
    """An OffLoop with a thread of its own, so that no commit waits behind other slow work (bcrypt takes 200 ms)."""

    def __init__(self) -> None:
        self._pool = ThreadPoolExecutor(1, "commits")

    async def __call__(self, work: Callable[[], None]) -> None:
        """Run it in the thread."""
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
    """A piece of work failed after it wrote; it has been told, the transaction has to be undone."""


class _Once:
    """A blocking step that can be called off: afterwards it is known whether it was done, and it never begins.

    A task that is cancelled while it waits for a thread goes on at once, the thread does too: without this, a
    rollback would meet a commit under way.
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
        """Wait for the step where it is under way, else see to it that it never is."""
        with self._lock:
            self._off = True


class GroupCommit:
    """Runs work on one connection that nobody else writes with.

    `on_commit` is called on the loop after each commit, before the waiting are answered. `timer` counts seconds;
    simulations hand in one that stands still.
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
        """Asked ahead of each transaction for work that wants the connection while no transaction is open."""

    async def run(self, work: Callable[[], T]) -> T:
        """Run `work` inside a transaction and answer with its result once that is durable.

        `work` may run more than once, each time from the state that the others left; only the last run counts. Its
        errors are its caller's alone. Raises LogUnavailable when the disk refuses; then nothing that shared the
        transaction took effect. Cancelling the call takes back only what has not run yet.
        """
        if self._closed:
            raise LogUnavailable("the log is closed")
        future: asyncio.Future[T] = asyncio.get_running_loop().create_future()
        self._queue.append(_Waiting(work, future))
        if self._running is None:
            self._running = asyncio.ensure_future(self._drain())
        return await future

    async def close(self) -> None:
        """Finish what was begun, and take on nothing more."""
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
        except BaseException:  # the loop is being closed, or a callback failed: nobody may wait for ever
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
            if commit.done:  # cancelled while the disk was writing: what it wrote counts
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
                # It may go by what the ones before it wrote, which the disk can still refuse: it is told with them.
                waiting.error = error
            if not self.connection.in_transaction:  # SQLite undid it, and the work swallowed the reason
                raise apsw.FullError("the transaction was undone")
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
        except apsw.Error:  # the next transaction tries again
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
