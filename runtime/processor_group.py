"""A group of processors: applies a batch of records in one transaction with the group's positions.

A group shares positions and newest ids. The streams of a group run first; their derived events are passed to the
group's projectors in the same batch. So all rows of the group reflect the same source positions.

A record that cannot be read, or that fails in a handler, becomes a dead letter (dead_letter_policy.py): the batch is
rolled back and applied again without it and without the records held back behind it. If a store refuses a whole batch,
the batch is halved to find the record. If a store is unreachable (UNAVAILABLE), nothing is set aside.
"""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Collection, Mapping, Sequence
from dataclasses import dataclass, field
from typing import NamedTuple

from msgspec import structs

from events.event import BY_CLASS, Event, Handler, Handles
from events.faults import one_line
from events.first_copies import entities, first_copies
from events.fitting import last_ids
from events.ids import Clock, wall_clock
from events.log import (
    CorruptLog,
    LogUnavailable,
    New,
    NotSetUp,
    Positions,
    Record,
    RecordReader,
    TopicPartition,
    positions_after,
)
from events.topics import DERIVED
from projectors.projector import Projector
from runtime.dead_letter_policy import CannotApply, Place, SettingAside, TooManyDeadLetters
from runtime.discards import Discarded
from stores.dead_letters import DeadLetter, DeadLetters, all_letters
from stores.sink import Sink, SinkMoved, StoreUnavailable
from streams.stream import Stream

UNAVAILABLE: tuple[type[Exception], ...] = (
    StoreUnavailable,
    LogUnavailable,
    SinkMoved,
    CorruptLog,
    NotSetUp,
    CannotApply,
    TooManyDeadLetters,
    TimeoutError,
    MemoryError,
)
"""Errors that no record causes. The batch has no effect, and is retried later."""

At = Callable[[TopicPartition, int], Awaitable[Record | None]]
"""Reads the record at a position; None if there is none."""

_AT_ONCE = 200
"""The number of held-back records that are applied together."""
NEVER = 1 << 39
"""An offset that no partition ever reaches."""


class Retried(NamedTuple):
    """The result of a retry: how many records were applied, and how many letters of the entities are left."""

    applied: int
    left: int


@dataclass
class Group:
    """Processors that advance together. `keep` stores derived records; None in a rebuild, which stores none.

    `letters` stores records that cannot be applied; None if such a record stops the group, as in a rebuild. `discarded`
    records are skipped. `unavailable` are further errors of this group's stores that no record causes.
    """

    name: str
    projectors: Sequence[Projector]
    make_streams: Sequence[Callable[[Callable[[New], None]], Stream]]
    sink: Sink
    keep: Callable[[Sequence[New]], object] | None = None
    derived: list[New] = field(default_factory=list)
    letters: DeadLetters | None = None
    discarded: Discarded = field(default_factory=Discarded)
    clock: Clock = wall_clock
    unavailable: tuple[type[Exception], ...] = ()
    live: str = ""
    """In a rebuild, the live group whose read models are rebuilt; else empty."""

    def __post_init__(self) -> None:
        self.aside = SettingAside(self.live or self.name, self.letters, self.discarded, self.clock)
        self._in_hand: Record | None = None
        self._sources: list[Record] = []
        self.streams = [make(self.derived.append) for make in self.make_streams]
        for stream in self.streams:
            stream.kept = self.keep is not None
        handlers: dict[type[Event], list[tuple[Handler, Handles]]] = {}
        for processor in (*self.streams, *self.projectors):
            for event, handler in processor.handlers.items():
                handlers.setdefault(event, []).append((handler, processor))
        self._handlers = handlers
        self.topics = frozenset(BY_CLASS[event].topic for event in handlers).difference(DERIVED)
        """The source topics that its handlers need. Derived events are passed to this group's projectors directly.
        Reading them from the log as well would apply them twice, or drop them as duplicates, because their key differs
        from their cause's.
        """

    def set_aside(self, letters: DeadLetters | None, discarded: Discarded) -> None:
        """From now on, store records that cannot be applied in `letters`, and skip discarded ones."""
        self.letters, self.discarded = letters, discarded
        self.aside = SettingAside(self.name, letters, discarded, self.clock)

    def _apply(self, record: Record) -> None:
        event = record.event
        self._in_hand = record
        self.sink.applying(record.about, record)
        for handler, processor in self._handlers.get(type(event), ()):  # type: ignore[arg-type]  # None has no handlers
            handler(processor, event, record.about)
        while len(self._sources) < len(self.derived):
            self._sources.append(record)
        self._in_hand = None

    def _hand_on(self) -> None:
        """Pass derived events to the projectors. If a handler fails, the event's source record is at fault."""
        if self.derived:
            if self.keep is not None:
                self.keep(self.derived)
            for number, new in enumerate(self.derived):
                self._in_hand = self._sources[number] if number < len(self._sources) else None
                self.sink.applying(new.about, None)
                for handler, processor in self._handlers.get(type(new.event), ()):
                    handler(processor, new.event, new.about)
            self._in_hand = None

    async def has_due(self) -> bool:
        """Return whether a stream has work due (Stream.has_due)."""
        for stream in self.streams:
            if await stream.has_due():
                return True
        return False

    async def emit_due(self) -> bool:
        """Commit a few ms of due work, without moving the positions; return whether there was any. Raises
        StoreUnavailable.

        Derived topics are a function of the log whenever nothing is due.
        """
        if not await self.has_due():
            return False
        await self.sink.begin()
        try:
            for stream in self.streams:
                await stream.emit_due()
            self._hand_on()
        except BaseException:
            await self.sink.abandon()
            raise
        finally:
            self._clear()
        await self.sink.commit(Positions(), {})
        return True

    def _clear(self) -> None:
        self.derived.clear()
        self._sources.clear()

    async def apply(self, records: Sequence[Record], positions: Positions) -> int:
        """Commit one batch that ends at `positions`; return the number of applied records, without copies.

        Raises the errors in UNAVAILABLE (StoreUnavailable, TooManyDeadLetters), and CannotApply if no record may be set
        aside.
        """
        await self.aside.load()
        return await self._apply_or_set_aside(records, positions, {})

    async def _apply_or_set_aside(
        self, records: Sequence[Record], positions: Positions, causes: dict[Place, str]
    ) -> int:
        """Commit a batch without the records in `causes`; add records that fail to `causes` and try again."""
        held = self.aside.held(records)
        newest = await self.sink.newest(entities(held)) if held else {}
        while True:
            wanted, letters = self.aside.sift(records, causes, newest)
            await self._stop_where_too_many(letters)
            self._in_hand = None
            try:
                applied = await self._commit(wanted, letters, positions)
            except (*UNAVAILABLE, *self.unavailable):
                raise
            except Exception as error:
                record = self._in_hand
                if record is None and len(wanted) > 1:
                    return await self._in_halves(records, positions, causes, wanted[len(wanted) // 2])
                if not wanted:
                    raise
                record = record or wanted[0]
                cause = one_line(error)
                if self.letters is None:
                    raise CannotApply(self.aside.group, record, cause) from error
                causes[record.place, record.offset] = cause
            else:
                self.aside.applied(len(records), letters)
                return applied

    async def _in_halves(
        self, records: Sequence[Record], positions: Positions, causes: dict[Place, str], middle: Record
    ) -> int:
        """Find the record that makes a batch fail: commit the records before `middle`, then the others."""
        at = records.index(middle)
        applied = await self._apply_or_set_aside(records[:at], positions_after(records[:at]), causes)
        return applied + await self._apply_or_set_aside(records[at:], positions, causes)

    async def _stop_where_too_many(self, letters: Sequence[DeadLetter]) -> None:
        """Raise TooManyDeadLetters at the first letter that is too many; store those before it."""
        index = self.aside.first_too_many(letters)
        if index is not None and self.letters is not None:
            await self._commit([], letters[:index], Positions())
            self.aside.applied(0, letters[:index])
            raise TooManyDeadLetters(letters[index])

    async def _commit(self, records: Sequence[Record], letters: Sequence[DeadLetter], positions: Positions) -> int:
        newest = await self.sink.newest(entities(records))
        before = dict(newest)
        await self.sink.begin()
        try:
            fresh = first_copies(records, newest)
            events = [record.event for record in fresh if record.event is not None]
            for stream in self.streams:
                await stream.prepare(events)
            for record in fresh:
                self._apply(record)
            self._hand_on()
            if letters and self.letters is not None:
                await self.letters.put(letters)
        except BaseException:
            await self.sink.abandon()
            raise
        finally:
            self._clear()
        changed = {entity: id_ for entity, id_ in newest.items() if before.get(entity) != id_}
        await self.sink.commit(positions, changed, last_ids(records, positions))
        return len(fresh)

    async def retry(self, chosen: Collection[DeadLetter], at: At) -> Retried:
        """Apply the records of these letters again, and all later letters of their entities, in order. Only between
        batches.

        If a record fails again, the letters of its entity from there on stay, and its attempts are counted. Raises the
        errors of `apply`.
        """
        asked = {letter.entity for letter in chosen}
        return await self._drain([letter for letter in await self._all() if letter.entity in asked], at)

    async def discard(self, chosen: Collection[DeadLetter], at: At) -> Retried:
        """Apply the records held back behind these letters, then drop the letters. The log already says that they are
        skipped.

        The letters are dropped last, so that an interrupted discard can be repeated.
        """
        if self.letters is None:
            return Retried(0, 0)
        given_up = {(letter.place, letter.offset) for letter in chosen}
        asked = {letter.entity for letter in chosen}
        free: list[DeadLetter] = []
        for letter in await self._all():
            if (letter.place, letter.offset) in given_up:
                continue
            if letter.cause:
                asked.discard(letter.entity)
            elif letter.entity in asked:
                free.append(letter)
        freed = await self._drain(free, at)
        await self.letters.remove(chosen)
        self.aside.forget()
        await self.aside.load()
        return freed

    async def _all(self) -> list[DeadLetter]:
        return [] if self.letters is None else await all_letters(self.letters)

    async def _drain(self, letters: Sequence[DeadLetter], at: At) -> Retried:
        by_entity: dict[tuple[str, str], list[DeadLetter]] = {}
        for letter in letters:
            by_entity.setdefault(letter.entity, []).append(letter)
        try:
            applied = sum([await self._retry_entity(of_one, at) for of_one in by_entity.values()])
        finally:
            self.aside.forget()
        await self.aside.load()
        return Retried(applied, len(letters) - applied)

    async def _retry_entity(self, letters: Sequence[DeadLetter], at: At) -> int:
        """Retry letters in large parts; after a failure one by one."""
        applied, at_once = 0, _AT_ONCE
        while applied < len(letters):
            part = letters[applied : applied + at_once]
            failed = await self._retry_part(part, at)
            if not failed:
                applied += len(part)
            elif at_once > 1:
                at_once = 1
            else:
                assert self.letters is not None
                again = structs.replace(part[0], cause=failed, attempts=part[0].attempts + 1)
                await self.letters.failed_again(again)
                break
        return applied

    async def _retry_part(self, letters: Sequence[DeadLetter], at: At) -> str:
        """Apply a part of an entity's letters and remove them. Return why that failed; empty if it did not."""
        assert self.letters is not None
        records = []
        for letter in letters:
            record = await at(letter.place, letter.offset)
            if record is None:
                return "there is no such record in the log"
            if self.discarded.covers(record):
                continue
            if record.fault:
                return record.fault
            records.append(record)
        try:
            await self._commit(records, [], Positions())
        except (*UNAVAILABLE, *self.unavailable):
            raise
        except Exception as error:
            return one_line(error)
        await self.letters.remove(letters)  # last: if this is interrupted, a retry treats the records as copies
        return ""


class Runner:
    """Advances one group along a log, one batch a turn."""

    def __init__(self, group: Group, log: RecordReader, limit: int = 1000) -> None:
        self.group = group
        self.log = log
        self.limit = limit
        self.positions = Positions()

    async def start(self) -> None:
        """Continue from the positions that the sink stored."""
        self.positions = await self.group.sink.positions()

    async def turn(self, until: Mapping[TopicPartition, int] | None = None) -> int:
        """Read and commit one batch, up to `until`; return the number of records, 0 if there was nothing to do.

        Topics that the group does not use are skipped. If there was nothing else, that counts as one record.
        """
        wanted = self.group.topics
        after = self.positions if until is None else await self._up_to(until)
        records = await self.log.read(after, self.limit, wanted)
        positions = positions_after(records, self.positions)
        if until is not None and any(next_ > until.get(place, 0) for place, next_ in positions.items()):
            records = [record for record in records if record.offset < until.get(record.place, 0)]
            positions = positions_after(records, self.positions)
        for place, end in (await self.log.ends() if until is None else until).items():
            if place.topic not in wanted and end > positions.get(place, 0):
                positions[place] = end
        if positions == self.positions:
            return 0
        await self.group.apply(records, positions)
        self.positions = positions
        return max(1, len(records))

    async def _up_to(self, until: Mapping[TopicPartition, int]) -> Positions:
        """Return the positions to read from; partitions that are at their limit are set out of reach.

        Otherwise a full partition that has to wait could fill every batch, and the others would never be read.
        """
        after = Positions((place, NEVER) for place in await self.log.ends())
        for place, end in until.items():
            position = self.positions.get(place, 0)
            after[place] = position if position < end else NEVER
        return after

    async def catch_up(self, until: Mapping[TopicPartition, int] | None = None) -> int:
        """Take turns until nothing is left; return the number of records."""
        total = 0
        while (turned := await self.turn(until)) or await self.group.emit_due():
            total += turned
        return total
