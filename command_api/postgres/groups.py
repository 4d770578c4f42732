"""Group commit: commands that arrive during a transaction share the next one.

A transaction takes one round trip to load and one to write and commit. Under load more commands share a transaction,
which makes each cheaper. If a transaction is overdue, because the disk stalls or another process takes the same name,
the next group does not wait for it. If another process holds the locks of a command, or the group fails with a database
error, the command is executed alone, so that no command waits or fails because of another.
"""

from __future__ import annotations

import asyncio
from collections import deque
from collections.abc import Callable, Sequence
from typing import Any

from events.consistency_token import ConsistencyToken
from events.log import LogUnavailable
from events.postgres.connections import RETRIED, UNAVAILABLE, Pool, run
from events.retries import Backoff, retrying

from .transaction import InDoubt, Made, Piece, Result, Transactions, find

MOST_IN_A_GROUP = 64
GROUPS_AT_ONCE = 4
OVERDUE_S = 0.02
"""Seconds after which the next group no longer waits for the running one: several times a usual transaction."""
ALONE_AT_ONCE = 8
"""How many commands are executed alone at once: half of the pool, because each holds a connection while it waits."""
CONFLICTS = Backoff((0.0,) * 7, repeats=False)
"""Retries of a command that is executed alone: without waits, because it waits for its locks anyway."""
_IN_DOUBT = Backoff((0.1,), within_s=5.0)


class _CommitLost(Exception):
    """The connection was lost and the transaction was not committed."""


Waiting = tuple[Piece[Any, Any], "asyncio.Future[Made]"]


class Groups:
    """Executes commands in groups. Commands that are passed to it at the same time have no common entity."""

    def __init__(self, pool: Pool, transactions: Transactions) -> None:
        self._pool = pool
        self._transactions = transactions
        self._queue: deque[Waiting] = deque()
        self._under_way: set[asyncio.Task[None]] = set()
        self._by_themselves: set[asyncio.Task[None]] = set()
        self._alone = asyncio.Semaphore(ALONE_AT_ONCE)
        self._waking = False
        self._began = 0.0
        self.on_group: Callable[[int], None] = lambda commands: None
        """Called with the number of commands in each transaction, when it begins."""

    async def made(self, piece: Piece[Any, Any]) -> Made:
        """Execute a command in a group. Raises the errors of its decision, and LogUnavailable."""
        loop = asyncio.get_running_loop()
        future: asyncio.Future[Made] = loop.create_future()
        self._queue.append((piece, future))
        if not self._waking:
            self._waking = True
            loop.call_soon(self._start)  # commands of the same iteration of the loop join the group
        return await future

    def _start(self) -> None:
        self._waking = False
        loop = asyncio.get_running_loop()
        overdue = loop.time() - self._began >= OVERDUE_S and len(self._under_way) < GROUPS_AT_ONCE
        if self._queue and (not self._under_way or overdue):
            self._began = loop.time()
            group = [self._queue.popleft() for _ in range(min(len(self._queue), MOST_IN_A_GROUP))]
            self.on_group(len(group))
            task = asyncio.ensure_future(self._together(group))
            self._under_way.add(task)
            task.add_done_callback(self._ended)
            loop.call_later(OVERDUE_S, self._start)

    def _ended(self, task: asyncio.Task[None]) -> None:
        self._under_way.discard(task)
        self._start()

    async def _together(self, group: Sequence[Waiting]) -> None:
        """Execute a group, and alone the commands that the group could not execute."""
        pieces = [piece for piece, _ in group]
        try:
            results = await self._attempt(pieces, waits=False)
        except LogUnavailable as error:
            results = [LogUnavailable(str(error)) for _ in group]
        except Exception:  # one command failed, or the commit was lost: execute each alone
            results = None
        except BaseException:
            for _, future in group:
                future.cancel()
            raise
        for place, (piece, future) in enumerate(group):
            result = None if results is None else results[place]
            if result is None:
                task = asyncio.ensure_future(self._by_itself(piece, future))
                self._by_themselves.add(task)
                task.add_done_callback(self._by_themselves.discard)
            else:
                _tell(future, result)

    async def _by_itself(self, piece: Piece[Any, Any], future: asyncio.Future[Made]) -> None:
        try:
            async with self._alone:
                _tell(future, await retrying(lambda: self._attempt_alone(piece), CONFLICTS, (*RETRIED, _CommitLost)))
        except _CommitLost:
            _tell(future, LogUnavailable("the connection to PostgreSQL was lost again and again"))
        except RETRIED as error:
            is_unavailable = isinstance(error, UNAVAILABLE)
            _tell(
                future, LogUnavailable(f"other transactions conflicted each time: {error}") if is_unavailable else error
            )
        except Exception as error:
            _tell(future, error)

    async def _attempt_alone(self, piece: Piece[Any, Any]) -> Made | Exception:
        """Execute one command alone. Raises _CommitLost, and the errors of RETRIED."""
        results = await self._attempt([piece], waits=True)
        if results is None:
            raise _CommitLost
        [result] = results
        if result is None:  # its locks were waited for
            raise _CommitLost
        return result

    async def _attempt(self, pieces: Sequence[Piece[Any, Any]], *, waits: bool) -> list[Result] | None:
        """Execute a group; return the results, or None if its commit was lost."""
        try:
            return await run(self._pool, lambda connection: self._transactions.attempt(connection, pieces, waits=waits))
        except InDoubt as doubt:
            return await self._after_doubt(pieces, doubt)

    async def _after_doubt(self, pieces: Sequence[Piece[Any, Any]], doubt: InDoubt) -> list[Result] | None:
        """Return the results of a transaction with an unanswered commit; None if it was not committed."""
        lost = LogUnavailable("PostgreSQL was lost during the commit: the command may or may not have taken effect")
        if not any(doubt.ids.values()):
            raise lost from doubt
        answers = self._transactions.answers
        try:
            found = await retrying(
                lambda: run(self._pool, lambda connection: find(connection, answers, pieces, doubt)),
                _IN_DOUBT,
                (LogUnavailable,),
            )
        except LogUnavailable:
            raise lost from doubt
        if not found:
            return None
        # The lease of this process is over, or soon will be, so the relay publishes the rows.
        results = list(doubt.results)
        for place, ids in doubt.ids.items():
            made = results[place]
            if ids and isinstance(made, Made):
                rows = frozenset(found[id_] for id_ in ids)
                results[place] = made._replace(noted=ConsistencyToken(rows=rows), numbers=(), records=())
        return results


def _tell(future: asyncio.Future[Made], result: Made | Exception) -> None:
    if future.done():
        return
    if isinstance(result, Made):
        future.set_result(result)
    else:
        future.set_exception(result)
