"""Workers and readers as coroutines that are stepped from outside, held at any call of a port, and dropped there."""

from __future__ import annotations

from collections.abc import Callable, Coroutine, Sequence
from random import Random
from typing import Any

from events.ids import Clock
from events.log import Positions, Record, TopicPartition, positions_after
from projectors.fan_out import FanOut
from projectors.tiers import FanOutLimits
from stores.home_timelines import Keeping
from stores.sink import StoreUnavailable

from .cassandra import MemoryFacts, MemoryHomeTimelines, Pause
from .community import PartitionedLog

LIMITS = FanOutLimits(up=4, down=2, depth=4, page=2, at_once=3)
KEEPING = Keeping(kept_ms=30 * 3_600_000)

Task = Coroutine[Any, Any, None]
OnApplied = Callable[[Positions, Positions, Sequence[Record]], None]


def finish(task: Coroutine[Any, Any, Any]) -> Any:
    """Run a coroutine to its end with nothing in between; its result."""
    while True:
        try:
            task.send(None)
        except StopIteration as end:
            return end.value


class Worker:
    """One worker of some partitions. `fetched` is shared by all: how far anybody ever read."""

    def __init__(
        self,
        log: PartitionedLog,
        facts: MemoryFacts,
        home: MemoryHomeTimelines,
        clock: Clock,
        chance: Random,
        places: list[TopicPartition],
        held: set[TopicPartition],
        fetched: Positions,
        on_applied: OnApplied = lambda start, end, records: None,
    ) -> None:
        self.log = log
        self.facts = facts
        self.home = home
        self.clock = clock
        self.chance = chance
        self.places = places
        self.held = held
        self.fetched = fetched
        self.on_applied = on_applied
        self.between_batches = False
        self._task = self._work()

    def step(self) -> None:
        """Go on up to the next pause."""
        self.between_batches = self._task.send(None)

    def close(self) -> None:
        """Die where it stands."""
        self._task.close()

    async def positions(self, fan_out: FanOut) -> Positions:
        """Where to begin: where the timelines stand, or before that, where a consumer group was set back."""
        positions = await fan_out.resume(self.places)
        return Positions((p, max(0, n - self.chance.choice((0, 0, 1, 3)))) for p, n in positions.items())

    async def _work(self) -> None:
        while True:
            fan_out = FanOut(self.facts, self.home, self.clock, LIMITS, KEEPING)
            try:
                positions = await self.positions(fan_out)
            except StoreUnavailable:
                continue
            while True:
                await Pause(between_batches=True)
                batch = self._fetch(positions)
                try:
                    await fan_out.apply(batch)
                except StoreUnavailable:
                    if self.chance.random() < 0.5:
                        break
                    continue  # the same positions, another batch
                start, positions = positions, positions_after(batch, positions)
                if batch:
                    self.on_applied(start, positions, batch)

    def _fetch(self, positions: Positions) -> list[Record]:
        batch: list[Record] = []
        for place in self.chance.sample(self.places, len(self.places)):
            if place not in self.held:
                start = positions.get(place, 0)
                batch += self.log.partitions[place][start : start + self.chance.choice((1, 2, 3, 8))]
        for record in batch:
            self.fetched[record.place] = max(self.fetched.get(record.place, 0), record.offset + 1)
        return batch
