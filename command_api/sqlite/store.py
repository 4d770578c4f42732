"""The CommandStore port on SQLite: decision, events, answer and private changes in one transaction of log.db."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from typing import Any, TypeVar

import apsw
import msgspec

from events.consistency_token import ConsistencyToken
from events.event import Event
from events.ids import Millis
from events.log import Positions
from events.sqlite.group_commit import GroupCommit
from events.sqlite.log import SqliteLogWriter

from ..deciding import (
    Answer,
    Answering,
    Context,
    Decided,
    Decision,
    Idempotency,
    KeyReused,
    Outcome,
    PrivateChange,
    Refused,
    StillRunning,
)
from ..decision_state import DecisionState
from ..facts import Facts, Question
from ..kept_answers import REMEMBERED_MS, opened, seal
from .answers import SqliteAnswers

C = TypeVar("C")
S = TypeVar("S")

_IDEMPOTENCY_DDL = """
CREATE TABLE IF NOT EXISTS idempotency (
    account TEXT, key TEXT, fingerprint BLOB NOT NULL, status INTEGER NOT NULL, body BLOB NOT NULL,
    headers BLOB NOT NULL, positions TEXT NOT NULL, at INTEGER NOT NULL, PRIMARY KEY (account, key)
) WITHOUT ROWID;
CREATE INDEX IF NOT EXISTS idempotency_by_age ON idempotency (at);
"""
ChangePrivately = Callable[[Any], None]

_encode = msgspec.json.Encoder().encode
_headers = msgspec.json.Decoder(tuple[tuple[str, str], ...]).decode


def create_idempotency_table(connection: apsw.Connection) -> None:
    """Create the table if it is missing; in a file of an older version, rename its column `user`."""
    names = {row[0] for row in connection.execute("SELECT name FROM pragma_table_info('idempotency')")}
    if "user" in names:
        connection.execute("ALTER TABLE idempotency RENAME COLUMN user TO account")
    connection.execute(_IDEMPOTENCY_DDL)


class SqliteCommandStore:
    """Executes decisions on the only write connection of log.db.

    `answers` answers questions inside the transaction, `reader` as of the newest commit. `fold` updates the decision
    state; `private` applies each kind of private change, which is not a function of the log.
    """

    def __init__(
        self,
        commits: GroupCommit,
        writer: SqliteLogWriter,
        answers: SqliteAnswers,
        fold: DecisionState,
        private: Mapping[type[PrivateChange], ChangePrivately],
        reader: SqliteAnswers,
    ) -> None:
        self._commits = commits
        self._writer = writer
        self._answers = answers
        self._reader = reader
        self._fold = fold
        self._private = private
        self._running: set[tuple[str, str]] = set()

    async def ask(self, *questions: Question[Any]) -> Facts:
        """Answer questions as of the newest commit."""
        return self._reader.answer(questions)

    async def execute(self, decision: Decision[C, S], command: C, context: Context, answering: Answering[S]) -> Outcome:
        """Decide a command, and store its events and answer; durable when it returns."""
        once = context.idempotency
        if once is None:
            return await self._commits.run(lambda: self._execute(decision, command, context, answering))
        running = (once.account, once.key)
        if running in self._running:
            raise StillRunning
        self._running.add(running)
        try:
            return await self._commits.run(lambda: self._execute_once(once, decision, command, context, answering))
        finally:
            self._running.discard(running)

    async def execute_some(
        self,
        commands: Sequence[tuple[Decision[Any, Any], Any, Context]],
        answering: Answering[Any],
        in_time: Callable[[], bool],
    ) -> list[Outcome | Refused]:
        """Decide commands of an import in one transaction until `in_time` returns false, and at least one.

        As CommandStore.execute_some says; no other command is decided meanwhile.
        """

        def work() -> list[Outcome | Refused]:
            outcomes: list[Outcome | Refused] = []
            for decision, command, context in commands:
                try:
                    outcomes.append(self._execute(decision, command, context, answering))
                except Refused as refusal:  # raised before the command writes anything
                    outcomes.append(refusal)
                if not in_time():
                    break
            return outcomes

        return await self._commits.run(work)

    def _execute(self, decision: Decision[C, S], command: C, context: Context, answering: Answering[S]) -> Outcome:
        decided, answer = self._decide(decision, command, answering)
        return self._write(decision, command, context, decided, answer)

    def _decide(self, decision: Decision[C, S], command: C, answering: Answering[S]) -> tuple[Decided, Answer]:
        """Decide a command and make its answer, without writing. Raises Refused."""
        state = decision.state(command, self._answers.answer(decision.questions(command)))
        decided = decision.decide(command, state)
        return decided, answering.accepted(state, decided)

    def _write(
        self, decision: Decision[C, S], command: C, context: Context, decided: Decided, answer: Answer
    ) -> Outcome:
        news = [context.new(item, self._writer.ids) for item in decided if isinstance(item, Event)]
        if news:
            positions = self._writer.insert(news)
            for new in news:
                self._fold.handle(new.event, new.about)
        else:
            positions = self._ends(decision, command)
        for item in decided:
            if isinstance(item, PrivateChange):
                self._private[type(item)](item)
        return Outcome(answer, ConsistencyToken(positions))

    def _ends(self, decision: Decision[C, S], command: C) -> Positions:
        """Return positions that cover the earlier write because of which the command changes nothing."""
        return Positions(self._writer.end(*entity) for entity in decision.entities(command))

    def _execute_once(
        self, once: Idempotency, decision: Decision[C, S], command: C, context: Context, answering: Answering[S]
    ) -> Outcome:
        keys = self._writer.table.keys
        keys.fetch((once.account,))
        remembered = self._remembered(once)
        if remembered is not None:
            return remembered
        try:
            decided, answer = self._decide(decision, command, answering)
        except Refused as error:
            # A refusal is stored as the answer, so that a repeated request gets it, too, even if the state has changed.
            outcome = Outcome(answering.refused(error), ConsistencyToken(self._ends(decision, command)))
        else:
            outcome = self._write(decision, command, context, decided, answer)
        kept = seal(keys.sealer, once.account, self._writer.ids.issue(), outcome.answer)
        self._commits.connection.execute(
            "INSERT OR REPLACE INTO idempotency VALUES (?, ?, ?, ?, ?, ?, ?, ?)",
            (
                once.account,
                once.key,
                once.fingerprint,
                kept.status,
                kept.body,
                _encode(kept.headers),
                str(outcome.token),
                self._writer.ids.now(),
            ),
        )
        return outcome

    def _remembered(self, once: Idempotency) -> Outcome | None:
        row: Any = self._commits.connection.execute(
            "SELECT fingerprint, status, body, headers, positions FROM idempotency WHERE account=? AND key=? AND at>?",
            (once.account, once.key, self._writer.ids.now() - REMEMBERED_MS),
        ).fetchone()
        if row is None:
            return None
        fingerprint, status, body, headers, positions = row
        if fingerprint != once.fingerprint:
            raise KeyReused("this Idempotency-Key was used for another request; take a new key for a new request")
        answer = opened(self._writer.table.keys.sealer, once.account, Answer(status, body, _headers(headers)))
        return Outcome(answer, ConsistencyToken.parse(positions), replayed=True)

    async def forget_old_answers(self, most: int = 1000) -> int:
        """Delete up to `most` stored answers older than a day; return how many."""
        before = Millis(self._writer.ids.now() - REMEMBERED_MS)

        def work() -> int:
            connection: apsw.Connection = self._commits.connection
            connection.execute(
                "DELETE FROM idempotency WHERE (account, key) IN"
                " (SELECT account, key FROM idempotency WHERE at<=? LIMIT ?)",
                (before, most),
            )
            return connection.changes()

        return await self._commits.run(work)
