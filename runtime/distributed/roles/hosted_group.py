"""A group in a worker: its batches, its work between them, and operators' requests about its dead letters."""

from __future__ import annotations

from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass
from typing import Protocol

from events.first_copies import Entity
from events.log import Positions, Record, RecordReader, TopicPartition
from runtime import metrics
from runtime.dead_letters import Waiting
from runtime.discards import Discards
from runtime.distributed.roles.group_metrics import measured
from runtime.processor_group import Group
from stores.dead_letters import Counts, DeadLetter
from stores.postgres.dead_letters import Asked, PostgresDeadLetters
from streams.faust_worker import Hosted


class WorkerGroup(Hosted, Protocol):
    """Processors that a worker hosts, with work between batches; its methods return whether there was any."""

    def measure(self) -> None:
        """Measure the stages of its batches."""
        ...

    async def idle(self) -> bool:
        """Do the work between batches. Raises SinkMoved if the sink's positions went back, StoreUnavailable."""
        ...

    async def mend(self, assigned: Collection[TopicPartition]) -> Sequence[Record]:
        """Do operators' requests about dead letters of these partitions; return the records that were, or may be,
        applied.

        Raises StoreUnavailable, LogUnavailable.
        """
        ...

    @property
    def degraded(self) -> str:
        """What the group's rows lack; empty if nothing."""
        ...


@dataclass(frozen=True)
class SetAside:
    """What a live group needs for dead letters: its letters, all groups' discards, and the log."""

    letters: PostgresDeadLetters
    discards: Discards
    log: RecordReader


class HostedGroup:
    """A group in a worker. `aside` is None if nothing may be set aside: in a rebuild."""

    def __init__(self, group: Group, aside: SetAside | None = None) -> None:
        self._group = group
        self._aside = aside
        if aside is not None:
            group.set_aside(aside.letters, aside.discards.of(group.name))
        self.name = group.name
        self.topics = group.topics
        self.counts = Counts(0, 0)
        self._counted = 0

    def measure(self) -> None:
        """Measure the stages of its batches."""
        self._group.sink = measured(self.name, self._group.sink)

    async def positions(self) -> Positions:
        """Return the positions. Forgets the letters, because another worker had these partitions before."""
        self._group.aside.forget()
        return await self._group.sink.positions()

    async def apply(self, records: Sequence[Record], positions: Positions) -> object:
        """Commit one batch. If it has records that cannot be read, read first which of them were discarded."""
        if self._aside is not None and any(record.fault for record in records):
            await self._aside.discards.read(self._aside.log)
        return await self._group.apply(records, positions)

    async def close(self) -> None:
        """Close the sink."""
        await self._group.sink.close()

    async def idle(self) -> bool:
        """Check that the sink's positions have not gone back, and commit some due work of streams; return whether there
        was any. Raises SinkMoved.
        """
        await self._group.sink.check()
        return await self._group.emit_due()

    async def mend(self, assigned: Collection[TopicPartition]) -> Sequence[Record]:
        """Do the requested retries and discards of these partitions, one entity after the other.

        Returns the records that were, or may be, applied. Raises StoreUnavailable, LogUnavailable.
        """
        aside = self._aside
        read: list[Record] = []
        if aside is None:
            return read
        asked = [(what, letter) for what, letter in await aside.letters.asked() if letter.place in assigned]
        if asked:
            await aside.discards.read(aside.log)
        by_entity: dict[Entity, list[tuple[Asked, DeadLetter]]] = {}
        for what, letter in asked:
            by_entity.setdefault(letter.entity, []).append((what, letter))
        for entity, wanted in by_entity.items():
            async with aside.letters.alone_with(entity) as mine:
                if mine:
                    await self._mend(wanted, aside, read)
        await self._count(aside)
        return read

    async def _count(self, aside: SetAside) -> None:
        self.counts = await aside.letters.counts()
        metrics.DEAD_LETTERS.labels(self.name).set(self.counts.failed)
        total = self._group.aside.total
        metrics.SET_ASIDE.labels(self.name).inc(total - self._counted)
        self._counted = total

    async def _mend(self, wanted: Sequence[tuple[Asked, DeadLetter]], aside: SetAside, read: list[Record]) -> None:
        async def at(place: TopicPartition, offset: int) -> Record | None:
            record = await record_at(aside.log, place, offset)
            if record is not None:
                read.append(record)
            return record

        discarded = [letter for what, letter in wanted if what == "discard"]
        retried = [letter for what, letter in wanted if what == "retry"]
        if discarded:
            await self._group.discard(discarded, at)
        if retried:
            await self._group.retry(retried, at)
            await aside.letters.done(retried)

    @property
    def degraded(self) -> str:
        """The number of its dead letters, as a sentence."""
        return Waiting(self.counts.failed, self.counts.all).sentence(self.name)


async def record_at(log: RecordReader, place: TopicPartition, offset: int) -> Record | None:
    """Return the record at a position; None if there is none. Raises LogUnavailable."""
    ends = await log.ends()
    if offset >= ends.get(place, 0):
        return None
    after: Mapping[TopicPartition, int] = ends | {place: offset}
    # A record of each partition: a newer one of another partition must not displace this one.
    for record in await log.read(after, len(ends) + 1, [place.topic]):
        if record.place == place:
            return record if record.offset == offset else None
    return None
