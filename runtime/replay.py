"""Replay the events of a log, in the order in which they were appended and at the pace at which they happened.

The pace is that of the events' times, so imported history plays as it was, too. An event whose time is before that of
an earlier one follows it at once.
"""

from __future__ import annotations

import asyncio
import math
from collections.abc import Awaitable, Callable, Collection, Mapping
from typing import NamedTuple

from events.ids import Millis
from events.log import Positions, Record, TopicPartition
from runtime.log_inspection import Looking

_AT_ONCE = 1_000

Emit = Callable[[Record], Awaitable[None]]
"""Receives each event."""


class Wanted(NamedTuple):
    """The events to replay: of these topics and types (None for all), from positions and times on, up to others.

    `speed` is how many seconds of events pass in a second; infinity for no pace at all.
    """

    start: Positions
    end: Mapping[TopicPartition, int]
    topics: Collection[str] | None = None
    types: Collection[str] | None = None
    since: Millis | None = None
    until: Millis | None = None
    speed: float = math.inf

    def has(self, record: Record) -> bool:
        """Return whether the record is one of them."""
        return (
            record.offset < self.end.get(record.place, 0)
            and (self.types is None or record.type in self.types)
            and (self.since is None or record.about.time >= self.since)
            and (self.until is None or record.about.time < self.until)
        )


class Pace:
    """Waits until an event is due. `clock` counts seconds; `sleep` waits for some."""

    def __init__(
        self,
        speed: float,
        clock: Callable[[], float],
        sleep: Callable[[float], Awaitable[object]] = asyncio.sleep,
    ) -> None:
        self._speed = speed
        self._clock = clock
        self._sleep = sleep
        self._began: tuple[float, Millis] | None = None

    async def wait(self, time: Millis) -> None:
        """Wait until the event of this time is due. The first event is due at once."""
        if math.isinf(self._speed):
            return
        if self._began is None:
            self._began = self._clock(), time
        began, first = self._began
        left = began + (time - first) / 1000 / self._speed - self._clock()
        if left > 0:
            await self._sleep(left)


async def replay(log: Looking, wanted: Wanted, emit: Emit, pace: Pace, reached: Positions) -> int:
    """Emit the events; return how many. `reached` is kept at the positions after the last event that was emitted.

    Raises LogUnavailable, CorruptLog, and what `emit` raises.
    """
    reached.update(wanted.start)
    end = {
        place: offset for place, offset in wanted.end.items() if wanted.topics is None or place.topic in wanted.topics
    }
    emitted = 0
    while not reached.covers(end):
        records = await log.read(reached, _AT_ONCE, wanted.topics)
        if not records:
            await log.wait(reached, 1.0)
        for record in records:
            if wanted.has(record):
                await pace.wait(record.about.time)
                await emit(record)
                emitted += 1
            reached[record.place] = record.offset + 1
    return emitted
