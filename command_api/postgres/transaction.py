"""One attempt at a command: load, decide, write, commit. Nothing here retries, and nothing publishes."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import NamedTuple, TypeVar

from events.codec import Codec
from events.event import BY_CLASS, Envelope, Event
from events.first_copies import Entity
from events.ids import EventId, HybridClock, SessionId
from events.log import LogUnavailable, New, Positions
from events.publishing import Outgoing, outgoing

from ..credentials import RevokeSession
from ..deciding import Answer, Answering, Context, Decided, Decision, KeyReused, PrivateChange, Refused, StillRunning
from ..decision_state import DecisionState
from .answers import Answers
from .connections import AWAY, RETRIED, Connection, Statement
from .credentials import ChangePrivately
from .flights import Flight, Flights
from .keys import PostgresKeys
from .outbox import EntityState, count_waiting, token_of
from .rows import PostgresDecisionRows
from .writing import Loaded, load, remember, write

C = TypeVar("C")
S = TypeVar("S")

REMEMBERED_MS = 24 * 3600 * 1000
_COUNTED_FOR_S = 0.1


class InDoubt(Exception):
    """The server was lost while it committed. `ids` are those of the events, `after` is before all their rows."""

    def __init__(self, answer: Answer, revoked: Sequence[SessionId], ids: Sequence[str] = (), after: int = 0) -> None:
        super().__init__("the server was lost while it committed")
        self.answer = answer
        self.revoked = revoked
        self.ids = ids
        self.after = after


class Made(NamedTuple):
    """What a transaction came to.

    `noted` are the positions of a command that wrote no events, rows of the outbox among them. `flight` is there where
    it wrote events that this process is to publish; otherwise the relay publishes `numbers`.
    """

    answer: Answer
    noted: Positions = Positions()
    numbers: Sequence[int] = ()
    records: Sequence[Outgoing] = ()
    flight: Flight | None = None
    revoked: Sequence[SessionId] = ()
    replayed: bool = False


class Room:
    """Whether the outbox takes more rows: `most` wait at once, counted ten times a second at most, and before a no."""

    def __init__(self, most: int) -> None:
        self._most = most
        self._count = 0
        self._counted_at = float("-inf")

    async def for_more(self, connection: Connection) -> None:
        """Raises LogUnavailable where there is none."""
        now = asyncio.get_running_loop().time()
        self._count += 1
        if self._count > self._most or now - self._counted_at > _COUNTED_FOR_S:
            self._count = 1 + await count_waiting(connection, self._most)
            self._counted_at = now
        if self._count > self._most:
            raise LogUnavailable(f"{self._most:,} events wait for the log already; try again later")


@dataclass(frozen=True, slots=True)
class Transactions:
    """What every attempt works with. `owner` names this process in the outbox; `check` refuses what no log takes."""

    answers: Answers
    keys: PostgresKeys
    codec: Codec
    email_key: bytes
    private: Mapping[type[PrivateChange], ChangePrivately]
    ids: HybridClock
    flights: Flights
    room: Room
    owner: str
    check: Callable[[Outgoing], None]

    async def attempt(
        self,
        connection: Connection,
        decision: Decision[C, S],
        command: C,
        context: Context,
        answering: Answering[S],
    ) -> Made:
        """Do it, and commit. Raises InDoubt; after any other error nothing took effect."""
        once = context.idempotency
        questions = decision.questions(command)
        loaded = await load(
            connection,
            decision.entities(command),
            self.answers.statement(questions),
            once,
            self.ids.now() - REMEMBERED_MS,
        )
        if loaded.running:
            raise StillRunning
        if once is not None and loaded.remembered is not None:
            before = loaded.remembered
            if before.fingerprint != once.fingerprint:
                raise KeyReused("this Idempotency-Key was used for another request; take a new key for a new request")
            noted = Positions.parse(before.positions).merged(token_of(before.outbox))
            return Made(before.answer, noted, replayed=True)
        try:
            state = decision.state(command, self.answers.read(questions, loaded.row))
            decided = decision.decide(command, state)
            answer = answering.accepted(state, decided)
        except Refused as error:
            if once is None:
                raise
            # A refusal is an answer like any other: the same command is refused again, whatever came in between.
            decided, answer = (), answering.refused(error)
        if any(isinstance(item, Event) for item in decided):
            return await self._append(connection, loaded, decided, answer, context)
        return await self._change(connection, loaded, decided, answer, context)

    async def _change(
        self, connection: Connection, loaded: Loaded, decided: Decided, answer: Answer, context: Context
    ) -> Made:
        """Without events: private changes and the answer, as far as there are any."""
        noted = _noted(loaded.states.values())
        statements = self._privately(decided)
        remembering = self._remember(context, answer, str(noted), wrote=False)
        if statements or remembering is not None:
            await self._write(connection, statements, (), (), None, remembering, InDoubt(answer, _revoked(decided)))
        return Made(answer, noted, revoked=_revoked(decided))

    async def _append(
        self, connection: Connection, loaded: Loaded, decided: Decided, answer: Answer, context: Context
    ) -> Made:
        await self.room.for_more(connection)
        events = [item for item in decided if isinstance(item, Event)]
        statements, begun = await self._subjects_keys(connection, events)
        flight, before = None, {}
        try:
            news = self._news(events, loaded.states.values(), context)
            records = [outgoing(new, self.codec) for new in news]
            for record in records:
                self.check(record)
            fold_rows = PostgresDecisionRows(self.email_key)
            fold = DecisionState(fold_rows)
            for new in news:
                fold.handle(new.event, new.about)
            entities = list(dict.fromkeys((record.topic, record.key) for record in records))
            if all(self._is_clear(entity, loaded.states.get(entity)) for entity in entities):
                before = {entity: self.flights.newest(entity) for entity in entities}
                flight = self.flights.begin(entities)
            after = min(loaded.states[e].number if e in loaded.states else 0 for e in entities)
            numbers = await self._write(
                connection,
                [*statements, *self._privately(decided)],
                fold_rows.statements,
                records,
                self.owner if flight is not None else None,
                self._remember(context, answer, "", wrote=True),
                InDoubt(answer, _revoked(decided), [record.about.id for record in records], after),
            )
        except BaseException:
            for subject in begun:
                self.keys.sealer.forget(subject)
            if flight is not None:
                self.flights.undo(flight, before)
            raise
        finally:
            self.keys.sealer.trim()
        return Made(answer, Positions(), numbers, records, flight, _revoked(decided))

    def _is_clear(self, entity: Entity, state: EntityState | None) -> bool:
        """Whether what is appended to the entity now may be published by us: nothing waits, or only flights of ours."""
        if state is None or not state.waits:
            return True
        return state.owner == self.owner and self.flights.newest(entity) is not None

    def _news(self, events: Iterable[Event], states: Iterable[EntityState], context: Context) -> list[New]:
        """The events with their ids: past every entity's newest. Raises ClockBehind."""
        for state in states:
            if state.newest:
                self.ids.observe(state.newest)
        return [
            New(
                event,
                Envelope(
                    id=EventId(self.ids.issue()),
                    time=self.ids.now() if context.time is None else context.time,
                    correlation=context.correlation,
                    causation=context.causation,
                    actor=context.actor or "",
                    traceparent=context.traceparent,
                ),
            )
            for event in events
        ]

    async def _subjects_keys(
        self, connection: Connection, events: Iterable[Event]
    ) -> tuple[list[Statement], list[str]]:
        """Have the keys of the events' subjects at hand; the statements that store new ones, and whose those are."""
        subjects = [(event, self.codec.subject(event)) for event in events]
        await self.keys.fetch_with(connection, [subject for _, subject in subjects if subject is not None])
        begun = [
            subject
            for event, subject in subjects
            if subject is not None and BY_CLASS[type(event)].opens_subject and self.keys.sealer.missing([subject])
        ]
        return [self.keys.begin(subject) for subject in begun], begun

    def _privately(self, decided: Decided) -> list[Statement]:
        changes = (item for item in decided if isinstance(item, PrivateChange))
        return [statement for change in changes for statement in self.private[type(change)](change)]

    def _remember(self, context: Context, answer: Answer, positions: str, *, wrote: bool) -> Statement | None:
        once = context.idempotency
        return None if once is None else remember(once, answer, positions, self.ids.now(), wrote=wrote)

    async def _write(
        self,
        connection: Connection,
        private: Sequence[Statement],
        fold: Sequence[Statement],
        records: Sequence[Outgoing],
        owner: str | None,
        remembering: Statement | None,
        doubt: InDoubt,
    ) -> list[int]:
        try:
            return await write(connection, private, fold, records, owner, remembering)
        except RETRIED:
            raise
        except AWAY as error:
            if connection.broken:
                raise doubt from error
            raise


def _revoked(decided: Decided) -> tuple[SessionId, ...]:
    return tuple([item.session for item in decided if isinstance(item, RevokeSession)])


def _noted(states: Iterable[EntityState]) -> Positions:
    """Positions that cover the newest event of each entity; rows of the outbox stand for those that wait."""
    noted = Positions()
    for state in states:
        noted = noted.merged(token_of([state.number]) if state.positions is None else Positions.parse(state.positions))
    return noted


async def find(connection: Connection, entities: Sequence[Entity], doubt: InDoubt) -> list[int]:
    """The rows that a transaction in doubt wrote; none where it came to nothing."""
    # It holds the locks until it has ended, however it ends.
    await load(connection, entities, None, None, 0)
    cursor = await connection.execute(
        "SELECT number FROM outbox WHERE number > %s AND id = ANY(%s::text[]) ORDER BY number",
        (doubt.after, list(doubt.ids)),
    )
    return [int(number) for (number,) in await cursor.fetchall()]
