"""Which events of this process are on their way into the log: one flight for each command, one after the other for
each entity.

The next command of an entity is decided while the one before is still being published. Its rows wait for that flight,
and go only if it arrived: otherwise a first copy could stand ahead of an older event's.
"""

from __future__ import annotations

import asyncio
from collections import OrderedDict
from collections.abc import Iterable, Mapping

from events.first_copies import Entity
from events.log import Positions

REMEMBERED = 10_000
"""Flights that ended, kept for those who read of them in the database a moment before it was noted; 2 MB."""


class Flight:
    """What one command wrote. `arrived` resolves to whether all of it, and all before it, stands in the log."""

    __slots__ = ("after", "arrived", "positions")

    def __init__(self, after: tuple[Flight, ...]) -> None:
        self.after = after
        self.arrived: asyncio.Future[bool] = asyncio.get_running_loop().create_future()
        self.positions: Positions | None = None

    def land(self, positions: Positions) -> None:
        """It stands in the log, up to these positions."""
        self.positions = positions
        self._end(True)

    def fail(self) -> None:
        """Its rows are left to the relay."""
        self._end(False)

    def _end(self, arrived: bool) -> None:
        self.after = ()
        if not self.arrived.done():
            self.arrived.set_result(arrived)


class Flights:
    """The newest flight of each entity, as far as this process knows."""

    def __init__(self) -> None:
        self._newest: OrderedDict[Entity, Flight] = OrderedDict()

    def newest(self, entity: Entity) -> Flight | None:
        """The newest flight of an entity."""
        return self._newest.get(entity)

    def begin(self, entities: Iterable[Entity]) -> Flight:
        """A flight after those of the entities, to be called while their locks are held."""
        own = list(entities)
        before = (self._newest.get(entity) for entity in own)
        flight = Flight(tuple({id(f): f for f in before if f is not None}.values()))
        for entity in own:
            self._newest[entity] = flight
            self._newest.move_to_end(entity)
        while len(self._newest) > REMEMBERED:
            entity, oldest = next(iter(self._newest.items()))
            if not oldest.arrived.done():
                break
            del self._newest[entity]
        return flight

    def undo(self, flight: Flight, before: Mapping[Entity, Flight | None]) -> None:
        """The transaction came to nothing: the entities are as they were."""
        for entity, other in before.items():
            if self._newest.get(entity) is flight:
                if other is None:
                    del self._newest[entity]
                else:
                    self._newest[entity] = other
        flight.fail()
