"""Group commit: commands that come while a transaction is under way share the next one, with one round trip to load and
one to write and commit.

The more there is to do, the more share a transaction, and the less each costs both sides. One that is overdue, because
a disk stalls or a name is being taken elsewhere, is not waited for. A command whose locks another process has, or whose
group met an error of the database, is done by itself, so that nobody waits or fails for another's sake.
"""

from __future__ import annotations

import asyncio
from collections import deque
from collections.abc import Callable, Sequence
from typing import Any

from events.consistency_token import ConsistencyToken
from events.log import LogUnavailable
from events.postgres.connections import AWAY, RETRIED, Pool, run
from events.retries import Backoff, retrying

from .transaction import InDoubt, Made, Piece, Result, Transactions, find

MOST_IN_A_GROUP = 64
GROUPS_AT_ONCE = 4
OVERDUE_S = 0.02
"""After which the next group no longer waits for the one before; several times what a transaction takes."""
ALONE_AT_ONCE = 8
"""Half of the pool: commands that wait for locks keep their connection meanwhile."""
CONFLICTS = Backoff((0.0,) * 7, repeats=False)
"""A command that is executed alone waits for its locks, so it need not wait between attempts."""
_IN_DOUBT = Backoff((0.1,), within_s=5.0)


class _CommitLost(Exception):
    """The server was lost before it committed: nothing was written."""


Waiting = tuple[Piece[Any, Any], "asyncio.Future[Made]"]


class Groups:
    """Executes commands in groups. No two that it is given at once have an entity in common."""

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
        """Called with how many commands share a transaction, as it begins."""

    async def made(self, piece: Piece[Any, Any]) -> Made:
        """What a command came to. Raises what deciding it does, and LogUnavailable."""
        loop = asyncio.get_running_loop()
        future: asyncio.Future[Made] = loop.create_future()
        self._queue.append((piece, future))
        if not self._waking:
            self._waking = True
            loop.call_soon(self._start)  # what else comes in this round of the loop goes along
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
        """Have a group executed, and what cannot be so one by one."""
        pieces = [piece for piece, _ in group]
        try:
            results = await self._attempt(pieces, waits=False)
        except LogUnavailable as error:
            results = [LogUnavailable(str(error)) for _ in group]
        except Exception:  # one of them met it, or its commit was lost: one by one
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
            _tell(future, LogUnavailable("the server was lost again and again"))
        except RETRIED as error:
            is_away = isinstance(error, AWAY)
            _tell(future, LogUnavailable(f"others were ahead each time: {error}") if is_away else error)
        except Exception as error:
            _tell(future, error)

    async def _attempt_alone(self, piece: Piece[Any, Any]) -> Result:
        """Execute one command. Raises _CommitLost, and RETRIED as it comes."""
        results = await self._attempt([piece], waits=True)
        if results is None:
            raise _CommitLost
        return results[0]

    async def _attempt(self, pieces: Sequence[Piece[Any, Any]], *, waits: bool) -> list[Result] | None:
        """What a group came to; None where its commit was lost."""
        try:
            return await run(self._pool, lambda connection: self._transactions.attempt(connection, pieces, waits=waits))
        except InDoubt as doubt:
            return await self._after_doubt(pieces, doubt)

    async def _after_doubt(self, pieces: Sequence[Piece[Any, Any]], doubt: InDoubt) -> list[Result] | None:
        """What a transaction came to whose commit was not answered; None where it came to nothing."""
        lost = LogUnavailable("PostgreSQL was lost while it committed: this may or may not have been done")
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
        # Our second is over, or will be soon: the relay publishes them.
        results = list(doubt.results)
        for place, ids in doubt.ids.items():
            made = results[place]
            if ids and isinstance(made, Made):
                rows = frozenset(found[id_] for id_ in ids)
                results[place] = made._replace(noted=ConsistencyToken(rows=rows), numbers=(), records=())
        return results


def _tell(future: asyncio.Future[Made], result: Result) -> None:
    if future.done():
        return
    if isinstance(result, Made):
        future.set_result(result)
    else:
        assert result is not None
        future.set_exception(result)
