"""The CommandStore port on PostgreSQL: decision, events, answer and private changes in one transaction.

Two round trips: one takes the locks and loads what decisions ask for, one writes and commits; commands that come
meanwhile share the next ones (groups.py). READ COMMITTED is enough, as each statement sees what was committed before
the locks were had. What the locks do not order (two who want one name) a unique index does: the one who comes second
decides again.
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Mapping, Sequence
from typing import Any, TypeVar

from events.codec import Codec
from events.consistency_token import ConsistencyToken
from events.ids import HybridClock, Millis, SessionId
from events.postgres.connections import Connection, Pool, run, select
from events.postgres.keys import PostgresKeys
from events.publishing import Outgoing

from ..deciding import Answering, Context, Decision, Outcome, PrivateChange, Refused, StillRunning
from ..facts import Facts, Question
from ..kept_answers import REMEMBERED_MS
from .answers import Answers
from .credentials import ChangePrivately
from .flights import Flights
from .groups import Groups
from .outbox import positions_of
from .publishing import Publishing
from .tokens import parsed
from .transaction import Piece, Room, Transactions
from .turns import Turns

C = TypeVar("C")
S = TypeVar("S")

MOST_WAITING = 10_000
"""Rows in the outbox, beyond which nothing more is taken: at 1,000 writes a second, the log was away for 10 s."""
AT_ONCE = 128
"""Of many commands that are handed over together, how many are under way."""


class PostgresCommandStore:
    """Executes decisions in a pool's transactions; any number of processes may, on one database.

    `private` makes the statements of each kind of private change. `owner` names this process in the outbox, and is
    never used again. `check` refuses a record that the log could never take. `revoked` is told of each session that
    ended here, once its end is durable.
    """

    def __init__(
        self,
        pool: Pool,
        publishing: Publishing,
        keys: PostgresKeys,
        answers: Answers,
        email_key: bytes,
        private: Mapping[type[PrivateChange], ChangePrivately],
        ids: HybridClock,
        *,
        owner: str,
        check: Callable[[Outgoing], None] = lambda record: None,
        revoked: Callable[[SessionId, Millis], None] = lambda session, at: None,
        most_waiting: int = MOST_WAITING,
    ) -> None:
        self._pool = pool
        self._publishing = publishing
        self._answers = answers
        self._ids = ids
        self._revoked = revoked
        transactions = Transactions(
            answers=answers,
            keys=keys,
            codec=Codec(keys.sealer),
            email_key=email_key,
            private=private,
            ids=ids,
            flights=Flights(),
            room=Room(most_waiting),
            owner=owner,
            check=check,
        )
        self._groups = Groups(pool, transactions)
        self._turns = Turns()
        self._running: set[tuple[str, str]] = set()
        self._tasks: set[asyncio.Task[Outcome]] = set()

    def on_group(self, listener: Callable[[int], None]) -> None:
        """Have `listener` called with how many commands share each transaction."""
        self._groups.on_group = listener

    async def start(self) -> None:
        """Go on from the newest id that was decided, as far as the outbox remembers. Raises LogUnavailable."""

        async def newest(connection: Connection) -> list[tuple[Any, ...]]:
            return await select(connection, "SELECT id FROM outbox ORDER BY number DESC LIMIT 1")

        for (id_,) in await run(self._pool, newest):
            self._ids.observe(id_)

    async def close(self) -> None:
        """Finish what was begun."""
        if self._tasks:
            await asyncio.wait(self._tasks)
        await self._publishing.close()

    async def ask(self, *questions: Question[Any]) -> Facts:
        """Answers as of the newest commit."""
        return await run(self._pool, lambda connection: self._answers.ask(connection, questions))

    async def execute(self, decision: Decision[C, S], command: C, context: Context, answering: Answering[S]) -> Outcome:
        """Decide, append, remember; durable when it returns, and in the log if that answers in time.

        A caller who goes does not stop what was begun. A server that is lost while it commits is asked again when it
        is back; if that takes too long, LogUnavailable says that it is not known, and the idempotency key will tell.
        """
        once = context.idempotency
        running = None if once is None else (once.account, once.key)
        if running is not None:
            if running in self._running:
                raise StillRunning
            self._running.add(running)
        task = asyncio.ensure_future(self._execute(decision, command, context, answering))
        self._tasks.add(task)

        def ended(task: asyncio.Task[Outcome]) -> None:
            self._tasks.discard(task)
            if running is not None:
                self._running.discard(running)
            if not task.cancelled():
                task.exception()  # its caller may be gone, and then nobody else looks

        task.add_done_callback(ended)
        return await asyncio.shield(task)

    async def execute_some(
        self,
        commands: Sequence[tuple[Decision[Any, Any], Any, Context]],
        answering: Answering[Any],
        in_time: Callable[[], bool],
    ) -> list[Outcome | Refused]:
        """Decide the first of the commands, one at least, as long as `in_time` says, for imports.

        A refusal stands for its outcome. None of them has an idempotency key. They share transactions as any others
        do, each entity's in their order; when one fails, those before and beside it may have been done.
        """
        outcomes: list[Outcome | Refused] = []
        for start in range(0, len(commands), AT_ONCE):
            some = commands[start : start + AT_ONCE]
            for outcome in await asyncio.gather(
                *(self.execute(*command, answering) for command in some), return_exceptions=True
            ):
                if isinstance(outcome, BaseException) and not isinstance(outcome, Refused):
                    raise outcome
                outcomes.append(outcome)
            if not in_time():
                break
        return outcomes

    async def _execute(
        self, decision: Decision[C, S], command: C, context: Context, answering: Answering[S]
    ) -> Outcome:
        piece = Piece(decision, command, context, answering, decision.entities(command))
        async with self._turns.take(piece.entities):
            made = await self._groups.made(piece)
        for session in made.revoked:
            self._revoked(session, self._ids.now())
        if made.flight is not None:
            rows = list(zip(made.numbers, made.records, strict=True))
            token = await self._publishing.publish(made.flight, rows, made.keys)
        else:
            token = await self._located(made.noted.merged(ConsistencyToken(rows=frozenset(made.numbers))))
        return Outcome(made.answer, token, made.replayed)

    async def _located(self, token: ConsistencyToken) -> ConsistencyToken:
        """The token with the positions of the rows that have any by now."""
        if token.rows:
            token = token.located(parsed({row: await self._publishing.positions(row) for row in token.rows}))
        if token.rows:
            token = token.located(
                parsed(await run(self._pool, lambda connection: positions_of(connection, token.rows)))
            )
        return token

    async def forget_old_answers(self, most: int = 1000) -> int:
        """Delete up to `most` remembered answers older than a day; how many were."""
        before = self._ids.now() - REMEMBERED_MS

        async def forget(connection: Connection) -> int:
            cursor = await connection.execute(
                "DELETE FROM idempotency WHERE (account, key) IN (SELECT account, key FROM idempotency WHERE at<=%s"
                " LIMIT %s FOR UPDATE SKIP LOCKED)",
                (before, most),
            )
            return cursor.rowcount

        return await run(self._pool, forget)
