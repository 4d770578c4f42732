"""Bugs to plant: each replaces one piece of the real code by a broken one, and the simulation has to notice.

A law is not proven until it has been seen to say no. Those here are of the log, of decisions, of positions and
transactions; misreadings.py has those of what is derived and read.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from typing import Any
from unittest.mock import patch

import msgspec

from command_api.deciding import Outcome, Refused
from command_api.decision_rows import LikeRow
from command_api.domain.block_account import BLOCK_ACCOUNT
from command_api.domain.edit_tweet import EDIT_TWEET
from command_api.sqlite.answers import SqliteAnswers
from command_api.sqlite.rows import SqliteDecisionRows
from command_api.sqlite.store import SqliteCommandStore
from events.consistency_token import ConsistencyToken
from events.first_copies import Entity, first_copies
from events.ids import HybridClock, account_number, to_bytes
from events.log import New, Positions, Record, TopicPartition
from events.sqlite.group_commit import GroupCommit
from events.sqlite.records import LogTable
from runtime import dead_letter_policy as setting_aside
from runtime import processor_group as processing
from runtime.embedded.read_positions import ReadPositions
from runtime.embedded.rebuild import Rebuild
from runtime.processor_group import At, Group
from stores.dead_letters import DeadLetter
from stores.sink import UNKNOWN
from stores.sqlite.dead_letters import SqliteDeadLetters
from stores.sqlite.sink import SqliteSink

from . import misreadings as misreadings
from .planting import MUTATIONS as MUTATIONS
from .planting import deciding, mutation

# Order and copies


@mutation
def clock_runs_behind() -> Iterator[Any]:
    """Ids come from the wall clock of the process, even if that is behind the one of the process before."""
    yield patch.object(HybridClock, "observe", lambda self, newest: None)


@mutation
def ids_go_on_from_the_last_records() -> Iterator[Any]:
    """A new process takes the last record of each partition for its newest, though it may be a copy of an old one."""

    def newest_id(self: LogTable) -> str | None:
        last = [self.read(place, end - 1, 1)[0].about.id for place, end in self.ends().items()]
        return max(last, default=None)

    yield patch.object(LogTable, "newest_id", newest_id)


@mutation
def copy_at_another_offset_is_counted() -> Iterator[Any]:
    """What was done to tweets before is told by its offset, which a second copy does not share."""
    right = Group.apply

    async def apply(self: Group, records: Sequence[Record], positions: Positions) -> int:
        applied = await self.sink.positions()

        def by_offset(records: Sequence[Record], newest: dict[Entity, str]) -> list[Record]:
            fresh = {(r.place, r.offset) for r in first_copies(records, newest)}
            unread = {(r.place, r.offset): r for r in records if r.offset >= applied.get(r.place, 0)}
            return [r for at, r in unread.items() if r.topic == "engagement" or at in fresh]

        with patch.object(processing, "first_copies", by_offset):
            return await right(self, records, positions)

    yield patch.object(Group, "apply", apply)


@mutation
def fold_by_arrival() -> Iterator[Any]:
    """Of follows only a repetition of the last is dropped: one that arrives late is folded over newer ones."""

    def arrivals(records: Sequence[Record], newest: dict[Entity, str]) -> list[Record]:
        fresh = []
        for record in records:
            entity = (record.topic, record.key)
            before = newest.get(entity, "")
            if before != record.about.id if record.topic == "graph" else before < record.about.id:
                newest[entity] = record.about.id
                fresh.append(record)
        return fresh

    yield patch.object(processing, "first_copies", arrivals)


@mutation
def copies_are_told_by_batch() -> Iterator[Any]:
    """A batch that begins with something old is taken for a repetition of an old batch."""
    right = first_copies

    def by_batch(records: Sequence[Record], newest: dict[Entity, str]) -> list[Record]:
        first = records[0]
        if first.about.id <= newest.get((first.topic, first.key), ""):
            return []
        return right(records, newest)

    yield patch.object(processing, "first_copies", by_batch)


# Positions and transactions


@mutation
def position_before_effects() -> Iterator[Any]:
    """The position is written first, then the effects: a crash in between skips them for ever."""
    right = Group.apply

    async def apply(self: Group, records: Sequence[Record], positions: Positions) -> int:
        await self.sink.begin()
        await self.sink.commit(positions, {})
        return await right(self, records, positions)

    yield patch.object(Group, "apply", apply)


@mutation
def position_after_effects() -> Iterator[Any]:
    """The effects are committed first, then the position and the newest ids: a crash in between doubles them."""
    right = SqliteSink.commit

    async def commit(
        self: SqliteSink,
        positions: Positions,
        newest: Mapping[Entity, str],
        last: Mapping[TopicPartition, str] = UNKNOWN,
    ) -> None:
        self._connection.execute("COMMIT")
        self._connection.execute("BEGIN IMMEDIATE")
        await right(self, positions, newest, last)

    yield patch.object(SqliteSink, "commit", commit)


@mutation
def derived_records_are_kept_after_their_effects() -> Iterator[Any]:
    """What streams derive is stored in a transaction of its own: a crash before that leaves a hole in the topic."""
    right = Group.apply

    async def apply(self: Group, records: Sequence[Record], positions: Positions) -> int:
        if (keep := self.keep) is None:
            return await right(self, records, positions)
        kept: list[New] = []
        with patch.object(self, "keep", kept.extend):
            fresh = await right(self, records, positions)
        if kept:
            await self.sink.begin()
            keep(kept)
            await self.sink.commit(Positions(), {})
        return fresh

    yield patch.object(Group, "apply", apply)


@mutation
def token_is_honoured_early() -> Iterator[Any]:
    """A read with a token goes ahead before the read models have come so far."""

    async def wait_for(self: ReadPositions, token: object, timeout: float, path: str) -> bool:
        return True

    yield patch.object(ReadPositions, "wait_for", wait_for)


@mutation
def token_of_nothing_to_do_names_nothing() -> Iterator[Any]:
    """A command that changes nothing is answered with a token that waits for nothing."""
    yield patch.object(SqliteCommandStore, "_ends", lambda self, decision, command: Positions())


@mutation
def rebuild_misses_the_last_batch() -> Iterator[Any]:
    """A rebuild goes up to where the live read models stood when it began, and becomes current there."""

    async def turn(self: Any, live: Positions, limit: int) -> bool:
        began = self.__dict__.setdefault("began", Positions(live))
        self._runner.limit = limit
        await self._runner.turn(until=began)
        return bool(self._runner.positions.covers(began))

    yield patch.object(Rebuild, "turn", turn)


# Deciding


@mutation
def refused_by_what_is_not_stored() -> Iterator[Any]:
    """A refusal is told at once, though what it goes by may never reach the disk."""
    right = GroupCommit._run_waiting

    def run_waiting(self: GroupCommit, batch: list[Any]) -> None:
        right(self, batch)
        for waiting in batch:
            if waiting.error is not None:
                waiting.tell()

    yield patch.object(GroupCommit, "_run_waiting", run_waiting)


@mutation
def acknowledged_before_commit() -> Iterator[Any]:
    """Clients are answered as soon as their commands have run, before the disk has them."""
    right = GroupCommit._run_waiting

    def run_waiting(self: GroupCommit, batch: list[Any]) -> None:
        right(self, batch)
        for waiting in batch:
            if not waiting.future.done():
                waiting.future.set_result(waiting.result)

    yield patch.object(GroupCommit, "_run_waiting", run_waiting)


@mutation
def unlike_does_not_see_its_like() -> Iterator[Any]:
    """A decision is made from what is committed: an unlike is answered before the like ahead of it is stored."""
    right = SqliteCommandStore._decide

    def decide(self: SqliteCommandStore, *arguments: Any) -> Any:
        with patch.object(self, "_answers", self._reader):
            return right(self, *arguments)

    yield patch.object(SqliteCommandStore, "_decide", decide)


@mutation
def decision_state_is_not_rolled_back() -> Iterator[Any]:
    """Likes are remembered in memory as well, where a commit that failed leaves them."""
    liked: dict[tuple[Any, ...], bool] = {}
    right_insert, right_delete = SqliteDecisionRows.insert, SqliteDecisionRows.delete
    right_answer = SqliteAnswers._engagement_of

    def insert(self: SqliteDecisionRows, row: Any) -> None:
        if type(row) is LikeRow:
            liked[id(self.connection), *row] = True
        right_insert(self, row)

    def delete(self: SqliteDecisionRows, table: Any, *key: Any) -> None:
        if table is LikeRow:
            liked[id(self.connection), *key] = False
        right_delete(self, table, *key)

    def engagement_of(self: SqliteAnswers, question: Any) -> Any:
        found = right_answer(self, question)
        key = id(self.connection), account_number(question.account), to_bytes(question.tweet)
        return msgspec.structs.replace(found, liked=liked.get(key, found.liked))

    yield patch.object(SqliteDecisionRows, "insert", insert)
    yield patch.object(SqliteDecisionRows, "delete", delete)
    yield patch.object(SqliteAnswers, "_engagement_of", engagement_of)


@mutation
def idempotency_record_outside_the_transaction() -> Iterator[Any]:
    """The answer is remembered in a transaction of its own: a crash in between forgets that there was one."""
    right = SqliteCommandStore.execute

    async def execute(self: SqliteCommandStore, decision: Any, command: Any, context: Any, answering: Any) -> Outcome:
        once = context.idempotency
        if once is None:
            return await right(self, decision, command, context, answering)
        remembered = await self._commits.run(lambda: self._remembered(once))
        if remembered is not None:
            return remembered
        try:
            bare = msgspec.structs.replace(context, idempotency=None)
            outcome = await right(self, decision, command, bare, answering)
        except Refused as refusal:
            outcome = Outcome(answering.refused(refusal), ConsistencyToken(self._ends(decision, command)))
        answer = outcome.answer
        headers = msgspec.json.encode(answer.headers)
        row = (once.account, once.key, once.fingerprint, answer.status, answer.body, headers, str(outcome.token))
        statement = "INSERT OR REPLACE INTO idempotency VALUES (?, ?, ?, ?, ?, ?, ?, ?)"
        now = self._writer.ids.now()
        await self._commits.run(lambda: self._commits.connection.execute(statement, (*row, now)))
        return outcome

    yield patch.object(SqliteCommandStore, "execute", execute)


@mutation
def idempotency_key_answers_any_request() -> Iterator[Any]:
    """The key alone is compared, and not what the request says."""
    right = SqliteCommandStore._remembered

    def remembered(self: SqliteCommandStore, once: Any) -> Outcome | None:
        connection = self._commits.connection
        row: Any = connection.execute(
            "SELECT fingerprint FROM idempotency WHERE account=? AND key=?", (once.account, once.key)
        ).fetchone()
        return right(self, once if row is None else msgspec.structs.replace(once, fingerprint=row[0]))

    yield patch.object(SqliteCommandStore, "_remembered", remembered)


@mutation
def block_leaves_one_direction() -> Iterator[Any]:
    """A block ends the blocker's follow only: the other one goes on following."""
    right = BLOCK_ACCOUNT.decide

    def decide(command: Any, state: Any) -> Any:
        if state.other is not None:
            relation = msgspec.structs.replace(state.other.relation, followed_by=False)
            state = msgspec.structs.replace(state, other=msgspec.structs.replace(state.other, relation=relation))
        return right(command, state)

    yield deciding(BLOCK_ACCOUNT, decide)


@mutation
def edit_ignores_if_match() -> Iterator[Any]:
    """An edit is taken whatever version its author has seen."""
    right = EDIT_TWEET.decide
    yield deciding(EDIT_TWEET, lambda command, state: right(msgspec.structs.replace(command, if_version=None), state))


# Dead letters


@mutation
def what_follows_a_dead_letter_is_applied() -> Iterator[Any]:
    """Later records of its entity are not held back, so that the retry comes too late and is taken for a copy."""
    yield patch.object(setting_aside._Held, "holds_back", lambda self, record: False)


@mutation
def nothing_is_kept_of_what_is_set_aside() -> Iterator[Any]:
    """A record that cannot be read is passed over, and no letter says that it was."""

    async def put(self: SqliteDeadLetters, letters: Sequence[DeadLetter]) -> None:
        pass

    yield patch.object(SqliteDeadLetters, "put", put)


@mutation
def what_is_retried_is_forgotten() -> Iterator[Any]:
    """A retry drops the letters and does not apply them."""

    async def retry_part(self: Group, letters: Sequence[DeadLetter], at: At) -> str:
        assert self.letters is not None
        await self.letters.remove(letters)
        return ""

    yield patch.object(Group, "_retry_part", retry_part)
