"""The batch runner: applies the log to processors beside the live ones, up to fixed positions.

Live workers divide partitions with Faust; a rebuild needs neither division nor low latency. The log is read once for
all groups; the next batch is read while every store commits this one. So a rebuild is as fast as the slowest store.
"""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, field

from events.log import CorruptLog, Positions, Record, RecordReader, TopicPartition, by_partition, positions_after
from events.retries import Backoff, retrying
from runtime.distributed.roles.hosted_group import HostedGroup
from runtime.processor_group import Group
from stores.sink import StoreUnavailable
from streams.faust_worker import Hosted

BATCH = 5000
"""The number of records of a batch; with so many, the fixed cost of a batch hardly matters."""

STORE_UNAVAILABLE = Backoff((0.1, 0.5, 1.0, 5.0, 15.0), repeats=False)
"""Waits between attempts to commit a batch."""

Advance = Callable[[int], None]


@dataclass
class GroupBuild:
    """A group that is being built, and its positions."""

    hosted: Hosted
    emit_due: Callable[[], Awaitable[bool]] | None = None
    has_due: Callable[[], Awaitable[bool]] | None = None
    close: Callable[[], Awaitable[None]] | None = None
    reached: Positions = field(default_factory=Positions)

    @classmethod
    def of(cls, group: Group) -> GroupBuild:
        """Start to build a group."""
        return cls(HostedGroup(group), group.emit_due, group.has_due, group.sink.close)

    @property
    def name(self) -> str:
        """The name of the group."""
        return self.hosted.name

    async def resume(self) -> None:
        """Continue from the positions of its sink. Raises StoreUnavailable."""
        self.reached = await self.hosted.positions()

    def goal(self, until: Mapping[TopicPartition, int]) -> Positions:
        """Return the part of some positions that concerns its topics."""
        topics = self.hosted.topics
        return Positions((place, end) for place, end in until.items() if end and place.topic in topics)

    async def take(self, records: Mapping[TopicPartition, Sequence[Record]], goal: Mapping[TopicPartition, int]) -> int:
        """Commit the new ones of some records, up to its goal; return their number."""
        part: list[Record] = []
        for place, those in records.items():
            start, end = self.reached.get(place, 0), goal.get(place, 0)
            if start <= those[0].offset and those[-1].offset < end:
                part += those
            else:
                part += [record for record in those if start <= record.offset < end]
        if part:
            reached = positions_after(part, self.reached)
            await self._commit(part, reached)
            self.reached = reached
        return len(part)

    async def _commit(self, records: Sequence[Record], reached: Positions) -> None:
        """Commit a batch; retry if its store is briefly unreachable, because giving up would lose hours of work."""
        what = f"building {self.name}"
        await retrying(lambda: self.hosted.apply(records, reached), STORE_UNAVAILABLE, (StoreUnavailable,), what=what)


async def build(
    log: RecordReader,
    buildings: Sequence[GroupBuild],
    until: Mapping[str, Positions],
    advance: Advance = lambda records: None,
    limit: int = BATCH,
    *,
    settle: bool = True,
) -> int:
    """Bring each group to the positions given for it; return the number of committed records, counted for each group.

    With `settle`, also do the due work of streams that no event causes. Raises CorruptLog if the log ends earlier, and
    the errors of reading and committing.
    """
    goals = {building.name: building.goal(until[building.name]) for building in buildings}
    at = _start(buildings, goals)
    applied = 0
    reading: asyncio.Task[list[Record]] | None = None
    try:
        while waiting := [b for b in buildings if not b.reached.covers(goals[b.name])]:
            topics = frozenset().union(*({place.topic for place in goals[b.name]} for b in waiting))
            records = await (reading or asyncio.ensure_future(log.read(at, limit, topics)))
            if not records:
                short = ", ".join(b.name for b in waiting)
                raise CorruptLog(f"the log ends at {at}, and {short} should come further")
            at = positions_after(records, at)
            reading = asyncio.ensure_future(log.read(at, limit, topics))
            by_place = by_partition(records)
            try:
                async with asyncio.TaskGroup() as committing:
                    taking = [committing.create_task(b.take(by_place, goals[b.name])) for b in waiting]
            except ExceptionGroup as failed:
                raise failed.exceptions[0] from None  # the caller knows how to handle it
            number = sum(task.result() for task in taking)
            applied += number
            advance(number)
    finally:
        if reading is not None:
            reading.cancel()
            await asyncio.gather(reading, return_exceptions=True)
    for building in buildings if settle else ():
        while building.emit_due is not None and await building.emit_due():
            pass
    return applied


def _start(buildings: Iterable[GroupBuild], goals: Mapping[str, Positions]) -> Positions:
    """Return the positions to read from, so that no unfinished group misses a record."""
    at = Positions()
    for building in buildings:
        for place, end in goals[building.name].items():
            reached = building.reached.get(place, 0)
            if reached < end:
                at[place] = min(at.get(place, reached), reached)
    return at
