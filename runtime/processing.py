"""Running processors: batches from the log, through streams and projectors, into one transaction with the positions.

A group of processors shares positions and newest ids. In each batch the streams come first, and what they derive is
handed to the group's projectors at once, so that everything the group keeps reflects the same source positions.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field

from events.event import Event, Handler, Handles
from events.first_copies import entities, first_copies
from events.log import EventLog, New, Positions, Record, TopicPartition, positions_after
from projectors.projector import Projector
from stores.sink import Sink
from streams.stream import Stream


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

    def _apply(self, record: Record) -> None:
        event = record.event
        for handler, processor in self._handlers.get(type(event), ()):  # type: ignore[arg-type]  # None has no handlers
            handler(processor, event, record.about)

    async def apply(self, records: Sequence[Record], positions: Positions) -> int:
        """Land one batch that ends at `positions`; how many records were first copies. Raises StoreUnavailable."""
        newest = await self.sink.newest(entities(records))
        before = dict(newest)
        await self.sink.begin()
        try:
            fresh = first_copies(records, newest)
            for record in fresh:
                self._apply(record)
            if self.derived:
                self.keep(self.derived)
                for new in self.derived:
                    for handler, processor in self._handlers.get(type(new.event), ()):
                        handler(processor, new.event, new.about)
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

    def __init__(self, group: Group, log: EventLog, limit: int = 1000) -> None:
        self.group = group
        self.log = log
        self.limit = limit
        self.positions = Positions()

    async def start(self) -> None:
        """Go on from the positions that the sink holds."""
        self.positions = await self.group.sink.positions()

    async def turn(self, until: Mapping[TopicPartition, int] | None = None) -> int:
        """Read and land one batch, not past `until`; how many records it had, 0 when there was nothing to do."""
        records = await self.log.read(self.positions, self.limit)
        if until is not None:
            records = [record for record in records if record.offset < until.get(record.place, 0)]
        if not records:
            return 0
        positions = positions_after(records, self.positions)
        await self.group.apply(records, positions)
        self.positions = positions
        return len(records)

    async def catch_up(self, until: Mapping[TopicPartition, int] | None = None) -> int:
        """Take turns until there is nothing left to do; how many records there were."""
        total = 0
        while turned := await self.turn(until):
            total += turned
        return total
