"""The metrics of a group in a worker: its lag, the freshness of its rows, and the time of each stage of a batch."""

from __future__ import annotations

import asyncio
import contextlib
import logging
import time
from collections.abc import Awaitable, Callable, Iterable, Iterator, Mapping, Sequence

from events.event import Envelope
from events.first_copies import Entity
from events.ids import Clock, millis, wall_clock
from events.log import LogUnavailable, Positions, Record, TopicPartition
from runtime import metrics
from runtime.lag import Behind, Ends
from runtime.telemetry import logger
from stores.sink import UNKNOWN, Sink
from streams.faust_worker import FaustWorker

LOOK_S = 1.0
"""Seconds between reads of the ends of the log."""


async def keep_looking(ends: Ends, ask: Callable[[], Awaitable[Positions]]) -> None:
    """Read the ends of the log periodically, until cancelled. If it is unreachable, the last ones stay."""
    while True:
        with contextlib.suppress(LogUnavailable):
            ends.note(await ask())
        await asyncio.sleep(LOOK_S)


class GroupMetrics:
    """The metrics of one group in this process. `ends` has the ends of the log."""

    def __init__(self, group: str, ends: Ends, clock: Clock = wall_clock) -> None:
        self.group = group
        self._ends = ends
        self._clock = clock
        self._applied = metrics.APPLIED.labels(group)
        self._freshness = metrics.FRESHNESS.labels(group)
        self._batch = metrics.BATCH_EVENTS.labels(group)
        self._rebalances = metrics.REBALANCES.labels(group)
        self._log = logger("minitwitter.applied")
        self._verbose = logging.getLogger("minitwitter.applied").isEnabledFor(logging.DEBUG)

    def follow(self, worker: FaustWorker) -> None:
        """Measure this worker from now on."""
        worker.on_assigned = self._rebalances.inc

        def lag() -> Mapping[TopicPartition, Behind]:
            behind = self._ends.behind(worker.reached)
            return {place: behind[place] for place in worker.assigned if place in behind}

        metrics.LAGS[self.group] = lag

    def applied(self, records: Sequence[Record]) -> None:
        """Measure a committed batch."""
        self._applied.inc(len(records))
        self._batch.observe(len(records))
        now = self._clock()
        for record in records:
            if record.about.id:
                self._freshness.observe(max(0, now - millis(record.about.id)) / 1000)
        if self._verbose:
            for record in records:
                self._log.debug(
                    "applied",
                    group=self.group,
                    at=f"{record.topic}-{record.partition}@{record.offset}",
                    type=record.type,
                    correlation=record.about.correlation,
                    traceparent=record.about.traceparent,
                )

    @contextlib.contextmanager
    def stage(self, name: str) -> Iterator[None]:
        """Measure a stage of a batch."""
        with measuring(self.group, name):
            yield


@contextlib.contextmanager
def measuring(group: str, stage: str) -> Iterator[None]:
    """Measure the duration of a stage that ends."""
    started = time.perf_counter()
    yield
    metrics.BATCH_SECONDS.labels(group, stage).observe(time.perf_counter() - started)


class MeasuredSink:
    """A sink whose calls are measured; the time between `begin` and `commit` is the processors'."""

    def __init__(self, group: str, sink: Sink) -> None:
        self._group = group
        self._sink = sink
        self._begun = 0.0
        self.positions = sink.positions
        self.marks = sink.marks
        self.abandon = sink.abandon
        self.check = sink.check
        self.close = sink.close

    async def newest(self, entities: Iterable[Entity]) -> dict[Entity, str]:
        """Return the newest applied id of each entity."""
        with measuring(self._group, "newest"):
            return await self._sink.newest(entities)

    async def begin(self) -> None:
        """Start a batch."""
        await self._sink.begin()
        self._begun = time.perf_counter()

    def applying(self, about: Envelope, at: Record | None) -> None:
        """Set the event that causes the next writes."""
        self._sink.applying(about, at)

    async def commit(
        self, positions: Positions, newest: Mapping[Entity, str], last: Mapping[TopicPartition, str] = UNKNOWN
    ) -> None:
        """Commit the batch. Raises StoreUnavailable."""
        metrics.BATCH_SECONDS.labels(self._group, "handle").observe(time.perf_counter() - self._begun)
        with measuring(self._group, "commit"):
            await self._sink.commit(positions, newest, last)


def measured(group: str, sink: Sink) -> MeasuredSink:
    """Return a sink that measures; the same one if it does already."""
    return sink if isinstance(sink, MeasuredSink) else MeasuredSink(group, sink)
