"""Running processors: batches from the log, through streams and projectors, into one transaction with the positions.

A group of processors shares positions and newest ids. In each batch the streams come first, and what they derive is
handed to the group's projectors at once, so that everything the group keeps reflects the same source positions.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Protocol

from events.event import BY_CLASS, Event, Handler, Handles
from events.first_copies import entities, first_copies
from events.log import CorruptLog, New, Positions, Record, TopicPartition, positions_after
from events.topics import DERIVED
from projectors.projector import Projector
from stores.sink import Sink
from streams.stream import Stream

_NEVER = 1 << 39
"""Past every offset that a partition will ever have."""


class Source(Protocol):
    """The part of the LogReader port that processors need: reading, by whoever may not append."""

    async def read(
        self, after: Mapping[TopicPartition, int], limit: int, topics: Iterable[str] | None = None
    ) -> list[Record]:
        """Up to `limit` records from `after` on."""
        ...

    async def ends(self) -> Positions:
        """Where each partition ends now."""
        ...


@dataclass
class Group:
    """Processors that advance together. `keep` stores derived records; a rebuild may drop them once handed on."""

    name: str
    projectors: Sequence[Projector]
    make_streams: Sequence[Callable[[Callable[[New], None]], Stream]]
    sink: Sink
    keep: Callable[[Sequence[New]], object] = lambda news: None
    derived: list[New] = field(default_factory=list)

    def __post_init__(self) -> None:
        self.streams = [make(self.derived.append) for make in self.make_streams]
        handlers: dict[type[Event], list[tuple[Handler, Handles]]] = {}
        for processor in (*self.streams, *self.projectors):
            for event, handler in processor.handlers.items():
                handlers.setdefault(event, []).append((handler, processor))
        self._handlers = handlers
        self.topics = frozenset(BY_CLASS[event].topic for event in handlers).difference(DERIVED)
        """Source topics of the events that it handles; records of others need not even be read: what is derived is
        handed on, and read again it would be taken for new, or, keyed by another than its cause, for a copy."""

    def _apply(self, record: Record) -> None:
        event = record.event
        self.sink.applying(record.about, record)
        for handler, processor in self._handlers.get(type(event), ()):  # type: ignore[arg-type]  # None has no handlers
            handler(processor, event, record.about)

    def _hand_on(self) -> None:
        if self.derived:
            self.keep(self.derived)
            for new in self.derived:
                self.sink.applying(new.about, None)
                for handler, processor in self._handlers.get(type(new.event), ()):
                    handler(processor, new.event, new.about)

    async def unsettled(self) -> bool:
        """Whether a stream has something to say that is no single event's doing, as of a window that ended."""
        for stream in self.streams:
            if await stream.unsettled():
                return True
        return False

    async def settle(self) -> bool:
        """Land some of that, a few ms' worth, at the same positions; whether there was any. Raises StoreUnavailable.

        Derived topics are a function of the log where nothing is left to settle.
        """
        if not await self.unsettled():
            return False
        await self.sink.begin()
        try:
            for stream in self.streams:
                await stream.settle()
            self._hand_on()
        except BaseException:
            await self.sink.abandon()
            raise
        finally:
            self.derived.clear()
        await self.sink.commit(Positions(), {})
        return True

    async def apply(self, records: Sequence[Record], positions: Positions) -> int:
        """Land one batch that ends at `positions`; how many records were first copies.

        Raises StoreUnavailable, and CorruptLog where one of the records cannot be read.
        """
        for record in records:
            if record.fault:
                raise CorruptLog(f"{record} cannot be read: {record.fault}")
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
        except BaseException:
            await self.sink.abandon()
            raise
        finally:
            self.derived.clear()
        changed = {entity: id_ for entity, id_ in newest.items() if before.get(entity) != id_}
        await self.sink.commit(positions, changed)
        return len(fresh)


class Runner:
    """Advances one group along a log, a batch a turn."""

    def __init__(self, group: Group, log: Source, limit: int = 1000) -> None:
        self.group = group
        self.log = log
        self.limit = limit
        self.positions = Positions()

    async def start(self) -> None:
        """Go on from the positions that the sink holds."""
        self.positions = await self.group.sink.positions()

    async def turn(self, until: Mapping[TopicPartition, int] | None = None) -> int:
        """Read and land one batch, not past `until`; how many records it had, 0 when there was nothing to do.

        Topics that the group has no use for are passed over; where that is all there was, it counts as one.
        """
        wanted = self.group.topics
        after = self.positions if until is None else await self._up_to(until)
        records = await self.log.read(after, self.limit, wanted)
        if until is not None:
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
        """The positions to read from, with those partitions out of reach that are as far as they may come.

        Else a full partition that has to wait could fill every batch, and the others would never be read.
        """
        after = Positions((place, _NEVER) for place in await self.log.ends())
        for place, end in until.items():
            position = self.positions.get(place, 0)
            after[place] = position if position < end else _NEVER
        return after

    async def catch_up(self, until: Mapping[TopicPartition, int] | None = None) -> int:
        """Take turns until there is nothing left to do; how many records there were."""
        total = 0
        while (turned := await self.turn(until)) or await self.group.settle():
            total += turned
        return total
