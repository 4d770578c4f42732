"""The CommandStore port on PostgreSQL: decision, events, answer and private changes in one transaction.

It takes two round trips: the first takes the locks and loads the answers, the second writes and commits. Commands that
arrive meanwhile share the next two (groups.py). READ COMMITTED is enough, because each statement sees all commits from
before the locks were taken. Unique indexes order commands that share no lock, such as two registrations of one name:
the second one is decided again.
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
from .answers import QuestionReader
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
"""The most waiting rows of the outbox, after which commands are refused: 10 s of writes at 1,000 a second."""
AT_ONCE = 128
"""How many commands of an import run at once."""


class PostgresCommandStore:
    """Executes decisions in transactions of a pool. Any number of processes can share the database.

    `private` makes the statements of each kind of private change. `owner` is a new name of this process for the leases
    of outbox rows. `check` refuses a record that the log would never accept. `revoked` is called for each session that
    ended here, after its end is durable.
    """

    def __init__(
        self,
        pool: Pool,
        publishing: Publishing,
        keys: PostgresKeys,
        answers: QuestionReader,
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
        """Call `listener` with the number of commands of each transaction."""
        self._groups.on_group = listener

    async def start(self) -> None:
        """Set the clock past the newest event id in the outbox. Raises LogUnavailable."""

        async def newest(connection: Connection) -> list[tuple[Any, ...]]:
            return await select(connection, "SELECT id FROM outbox ORDER BY number DESC LIMIT 1")

        for (id_,) in await run(self._pool, newest):
            self._ids.observe(id_)

    async def close(self) -> None:
        """Wait for commands in progress, and stop publishing."""
        if self._tasks:
            await asyncio.wait(self._tasks)
        await self._publishing.close()

    async def ask(self, *questions: Question[Any]) -> Facts:
        """Answer questions as of the newest commit."""
        return await run(self._pool, lambda connection: self._answers.ask(connection, questions))

    async def execute(self, decision: Decision[C, S], command: C, context: Context, answering: Answering[S]) -> Outcome:
        """Decide a command, and store its events and answer; durable when it returns, and usually in the log.

        Cancelling the caller does not stop the command. If the connection is lost during the commit, the outcome is
        looked up after a reconnect. If that takes too long, LogUnavailable says that the outcome is unknown; a retry
        with the same idempotency key finds it.
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
                task.exception()  # marks the error as retrieved: a cancelled caller does not read it

        task.add_done_callback(ended)
        return await asyncio.shield(task)

    async def execute_some(
        self,
        commands: Sequence[tuple[Decision[Any, Any], Any, Context]],
        answering: Answering[Any],
        in_time: Callable[[], bool],
    ) -> list[Outcome | Refused]:
        """Decide commands of an import until `in_time` returns false, as CommandStore.execute_some says.

        They share transactions as other commands do. If one fails, earlier and concurrent ones may have taken effect.
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
        """Return the token with the positions of rows that are published by now."""
        if token.rows:
            token = token.located(parsed({row: await self._publishing.positions(row) for row in token.rows}))
        if token.rows:
            token = token.located(
                parsed(await run(self._pool, lambda connection: positions_of(connection, token.rows)))
            )
        return token

    async def forget_old_answers(self, most: int = 1000) -> int:
        """Delete up to `most` stored answers older than a day; return how many."""
        before = self._ids.now() - REMEMBERED_MS

        async def forget(connection: Connection) -> int:
            cursor = await connection.execute(
                "DELETE FROM idempotency WHERE (account, key) IN (SELECT account, key FROM idempotency WHERE at<=%s"
                " LIMIT %s FOR UPDATE SKIP LOCKED)",
                (before, most),
            )
            return cursor.rowcount

        return await run(self._pool, forget)
