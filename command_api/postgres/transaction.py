"""One attempt to execute a group of commands: load, decide, write, commit. It neither retries nor publishes."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Generic, NamedTuple, TypeVar

from events.codec import Codec
from events.consistency_token import ConsistencyToken
from events.event import BY_CLASS, Event
from events.first_copies import Entity
from events.ids import HybridClock, SessionId
from events.kept import KeptKey
from events.log import LogUnavailable, New
from events.postgres.connections import RETRIED, UNAVAILABLE, Connection, Statement
from events.postgres.keys import PostgresKeys
from events.publishing import Outgoing, outgoing

from ..credentials import RevokeSession
from ..deciding import Answer, Answering, Context, Decided, Decision, KeyReused, PrivateChange, Refused, StillRunning
from ..decision_state import DecisionState
from ..kept_answers import REMEMBERED_MS, opened, seal
from .answers import QuestionReader
from .credentials import ChangePrivately
from .flights import Flight, Flights
from .outbox import EntityState, count_waiting
from .rows import PostgresDecisionRows
from .writing import CommandNeeds, GroupWrites, LoadedState, load, remembering, write

C = TypeVar("C")
S = TypeVar("S")

_COUNTED_FOR_S = 0.1


class InDoubt(Exception):
    """The connection was lost during the commit, so its outcome is unknown.

    `results` are the results of the group if it was committed. `ids` are the event ids of each command, by its index in
    the group. `after` is a row number before all rows of the group.
    """

    def __init__(self, results: list[Result], ids: Mapping[int, Sequence[str]], after: int) -> None:
        super().__init__("the server was lost while it committed")
        self.results = results
        self.ids = ids
        self.after = after


class Made(NamedTuple):
    """The result of an executed command.

    `noted` is the token of a command that wrote no events. With `flight`, this process publishes the events, after
    `keys`; without it, the relay publishes the rows `numbers`.
    """

    answer: Answer
    noted: ConsistencyToken = ConsistencyToken()
    numbers: Sequence[int] = ()
    records: Sequence[Outgoing] = ()
    flight: Flight | None = None
    keys: Sequence[KeptKey] = ()
    revoked: Sequence[SessionId] = ()
    replayed: bool = False


Result = Made | Exception | None
"""The result of a command of a group; None if another process holds its locks and nothing was done."""


@dataclass(frozen=True, slots=True)
class Piece(Generic[C, S]):
    """A command with its decision, context, answering and the entities to lock."""

    decision: Decision[C, S]
    command: C
    context: Context
    answering: Answering[S]
    entities: tuple[Entity, ...]

    @property
    def wanted(self) -> CommandNeeds:
        """Return the locks, questions and idempotency key to load."""
        return CommandNeeds(self.entities, self.context.idempotency, self.decision.questions(self.command))


class Draft(NamedTuple):
    """A decided command before it is written. `place` is its index in the group."""

    place: int
    piece: Piece[Any, Any]
    decided: Decided
    answer: Answer
    states: Mapping[Entity, EntityState]

    @property
    def events(self) -> list[Event]:
        """Return the decided events, without private changes."""
        return [item for item in self.decided if isinstance(item, Event)]


class Room:
    """Limits the waiting rows of the outbox to `most`, counted up to ten times a second and before each refusal."""

    def __init__(self, most: int) -> None:
        self._most = most
        self._count = 0
        self._counted_at = float("-inf")

    async def take(self, connection: Connection, wanted: int) -> int:
        """Return how many of the `wanted` commands can be accepted."""
        now = asyncio.get_running_loop().time()
        if self._count + wanted > self._most or now - self._counted_at > _COUNTED_FOR_S:
            self._count = await count_waiting(connection, self._most)
            self._counted_at = now
        taken = min(wanted, self._most - self._count)
        self._count += taken
        return taken

    @property
    def refusal(self) -> LogUnavailable:
        """Return the error for refused commands."""
        return LogUnavailable(f"{self._most:,} events wait for the log already; try again later")


@dataclass(frozen=True, slots=True)
class Transactions:
    """Executes groups. `owner` names this process in the outbox; `check` refuses a record that no log would accept."""

    answers: QuestionReader
    keys: PostgresKeys
    codec: Codec
    email_key: bytes
    private: Mapping[type[PrivateChange], ChangePrivately]
    ids: HybridClock
    flights: Flights
    room: Room
    owner: str
    check: Callable[[Outgoing], None]

    async def attempt(self, connection: Connection, group: Sequence[Piece[Any, Any]], *, waits: bool) -> list[Result]:
        """Execute and commit a group of commands without common entities; return the result of each.

        With `waits`, waits for locks of other processes. Raises InDoubt; after any other error nothing took effect.
        """
        wanted = [piece.wanted for piece in group]
        loaded = await load(connection, self.answers, wanted, self.ids.now() - REMEMBERED_MS, waits=waits)
        results: list[Result] = [None] * len(group)
        drafts: list[Draft] = []
        await self.keys.fetch_with(connection, [once.account for piece in group if (once := piece.context.idempotency)])
        for place, piece in enumerate(group):
            if place in loaded.busy:
                continue
            try:
                decided = self._decide(place, piece, loaded)
            except Exception as error:  # a refusal or a bug in one command; the others go on
                results[place] = error
            else:
                if isinstance(decided, Draft):
                    drafts.append(decided)
                else:
                    results[place] = decided
        await self._prepare(connection, drafts, results)
        group_write = _GroupWrite(self)
        try:
            for draft in drafts:
                if results[draft.place] is None:
                    try:
                        group_write.add(draft)
                    except Exception as error:
                        results[draft.place] = error
            await group_write.commit(connection, results)
        except BaseException:
            group_write.undo()
            raise
        finally:
            self.keys.sealer.trim()
        return results

    def _decide(self, place: int, piece: Piece[Any, Any], loaded: LoadedState) -> Made | Draft:
        once = piece.context.idempotency
        if place in loaded.running:
            raise StillRunning
        before = loaded.remembered.get(place)
        if once is not None and before is not None:
            if before.fingerprint != once.fingerprint:
                raise KeyReused("this Idempotency-Key was used for another request; take a new key for a new request")
            noted = ConsistencyToken.parse(before.positions).merged(ConsistencyToken(rows=frozenset(before.outbox)))
            return Made(opened(self.keys.sealer, once.account, before.answer), noted, replayed=True)
        decided: Decided
        try:
            state = piece.decision.state(piece.command, loaded.facts)
            decided = piece.decision.decide(piece.command, state)
            answer = piece.answering.accepted(state, decided)
        except Refused as error:
            if once is None:
                raise
            # A refusal is stored as the answer, so that a repeated request gets it, too, even if the state has changed.
            decided, answer = (), piece.answering.refused(error)
        states = {entity: loaded.states[entity] for entity in piece.entities if entity in loaded.states}
        return Draft(place, piece, decided, answer, states)

    async def _prepare(self, connection: Connection, drafts: Sequence[Draft], results: list[Result]) -> None:
        """Check the limit of the outbox, and load the keys of the events' subjects."""
        appending = [(draft, events) for draft in drafts if (events := draft.events)]
        if not appending:
            return
        taken = await self.room.take(connection, len(appending))
        for draft, _ in appending[taken:]:
            results[draft.place] = self.room.refusal
        subjects = {self.codec.subject(event) for _, events in appending[:taken] for event in events}
        await self.keys.fetch_with(connection, [subject for subject in subjects if subject is not None])

    def is_clear(self, entity: Entity, state: EntityState | None) -> bool:
        """Whether this process may publish new events of the entity: none waits, or only flights of this process."""
        if state is None or not state.waits:
            return True
        return state.owner == self.owner and self.flights.newest(entity) is not None

    def news(self, events: Iterable[Event], states: Iterable[EntityState], context: Context) -> list[New]:
        """Return the events with ids that are newer than the newest of every entity. Raises ClockBehind."""
        for state in states:
            if state.newest:
                self.ids.observe(state.newest)
        return [context.new(event, self.ids) for event in events]

    def privately(self, decided: Decided) -> list[Statement]:
        """Return the statements of the private changes."""
        changes = (item for item in decided if isinstance(item, PrivateChange))
        return [statement for change in changes for statement in self.private[type(change)](change)]


class _GroupWrite:
    """Collects the writes of a group, and undoes their preparation in memory after a rollback."""

    def __init__(self, transactions: Transactions) -> None:
        self._transactions = transactions
        self._batch = GroupWrites()
        self._begun: list[str] = []
        self._flights: list[tuple[Flight, Mapping[Entity, Flight | None]]] = []
        self._made: list[tuple[int, slice, Made]] = []
        self._after: list[int] = []

    def add(self, draft: Draft) -> None:
        """Add all writes of a command, or none if there is an error."""
        transactions, batch = self._transactions, self._batch
        events = draft.events
        begun = [subject for event in events if (subject := self._begins(event)) is not None]
        try:
            keys = [transactions.keys.begin(subject) for subject in begun]
            news = transactions.news(events, draft.states.values(), draft.piece.context)
            records = [outgoing(new, transactions.codec) for new in news]
            for record in records:
                transactions.check(record)
            rows = PostgresDecisionRows()
            fold = DecisionState(rows, transactions.email_key)
            for new in news:
                fold.handle(new.event, new.about)
            private = transactions.privately(draft.decided)
        except BaseException:
            for subject in begun:
                transactions.keys.sealer.forget(subject)
            raise
        self._begun += begun
        flight = self._take_off(records, draft.states)
        noted = ConsistencyToken() if records else _noted(draft.states.values())
        place = slice(len(batch.records), len(batch.records) + len(records))
        batch.private += [transactions.keys.storing(key) for key in keys] + private
        batch.written += rows.written
        batch.records += [(record, transactions.owner if flight is not None else None) for record in records]
        once = draft.piece.context.idempotency
        if once is not None:
            positions = "" if records else str(noted)
            kept = seal(transactions.keys.sealer, once.account, transactions.ids.issue(), draft.answer)
            batch.answers.append(remembering(once, kept, positions, transactions.ids.now(), place))
        made = Made(draft.answer, noted, (), records, flight, keys, _revoked(draft.decided))
        self._made.append((draft.place, place, made))

    def _begins(self, event: Event) -> str | None:
        """Return the subject for which this event makes a key; None for most events."""
        subject = self._transactions.codec.subject(event)
        if (
            subject is None
            or not BY_CLASS[type(event)].opens_subject
            or not self._transactions.keys.sealer.missing([subject])
        ):
            return None
        return subject

    def _take_off(self, records: Sequence[Outgoing], states: Mapping[Entity, EntityState]) -> Flight | None:
        entities = list(dict.fromkeys((record.topic, record.key) for record in records))
        if not entities:
            return None
        self._after += [states[entity].number if entity in states else 0 for entity in entities]
        flights = self._transactions.flights
        if not all(self._transactions.is_clear(entity, states.get(entity)) for entity in entities):
            return None
        before = {entity: flights.newest(entity) for entity in entities}
        flight = flights.begin(entities)
        self._flights.append((flight, before))
        return flight

    async def commit(self, connection: Connection, results: list[Result]) -> None:
        """Write everything, commit, and set the results of the commands. Raises InDoubt."""
        numbers: Sequence[int] = ()
        if self._batch:
            try:
                numbers = await write(connection, self._batch)
            except RETRIED:
                raise
            except UNAVAILABLE as error:
                if connection.broken:
                    raise self._doubt(results) from error
                raise
        for place, rows, made in self._made:
            results[place] = made._replace(numbers=numbers[rows])

    def _doubt(self, results: Sequence[Result]) -> InDoubt:
        if_made = list(results)
        for place, _, made in self._made:
            if_made[place] = made._replace(flight=None)
        ids = {place: [record.about.id for record in made.records] for place, _, made in self._made}
        return InDoubt(if_made, ids, min(self._after, default=0))

    def undo(self) -> None:
        """Undo the preparation in memory after a rollback."""
        for subject in self._begun:
            self._transactions.keys.sealer.forget(subject)
        for flight, before in reversed(self._flights):
            self._transactions.flights.undo(flight, before)


def _revoked(decided: Decided) -> tuple[SessionId, ...]:
    return tuple([item.session for item in decided if isinstance(item, RevokeSession)])


def _noted(states: Iterable[EntityState]) -> ConsistencyToken:
    """Return the token of the newest event of each entity."""
    noted = ConsistencyToken()
    for state in states:
        waits = ConsistencyToken(rows=frozenset((state.number,)))
        noted = noted.merged(waits if state.positions is None else ConsistencyToken.parse(state.positions))
    return noted


async def find(
    connection: Connection, answers: QuestionReader, group: Sequence[Piece[Any, Any]], doubt: InDoubt
) -> dict[str, int]:
    """Return the row numbers of a transaction in doubt by event id; empty if it was not committed."""
    # Taking its locks waits until the transaction has ended.
    await load(connection, answers, [CommandNeeds(piece.entities) for piece in group], 0, waits=True)
    cursor = await connection.execute(
        "SELECT id, number FROM outbox WHERE number > %s AND id = ANY(%s::text[])",
        (doubt.after, [id_ for ids in doubt.ids.values() for id_ in ids]),
    )
    return dict(await cursor.fetchall())
