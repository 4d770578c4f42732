"""Track the events of this process that are being published: one flight for each command, in order for each entity.

The next command of an entity is decided while the previous one is still being published. Its rows wait for the previous
flight and are published only if that arrived: otherwise the log could get a newer event before an older one.
"""

from __future__ import annotations

import asyncio
from collections import OrderedDict
from collections.abc import Iterable, Mapping

from events.first_copies import Entity
from events.log import Positions

REMEMBERED = 10_000
"""How many ended flights are kept, in 2 MB.

A transaction may still read their rows as waiting, because a flight is noted as published a moment after it arrived.
"""


class Flight:
    """The events of one command. `arrived` resolves to true once they and all earlier flights are in the log."""

    __slots__ = ("after", "arrived", "positions")

    def __init__(self, after: tuple[Flight, ...]) -> None:
        self.after = after
        self.arrived: asyncio.Future[bool] = asyncio.get_running_loop().create_future()
        self.positions: Positions | None = None

    def arrive(self, positions: Positions) -> None:
        """Mark the flight as arrived in the log, up to these positions."""
        self.positions = positions
        self._end(True)

    def fail(self) -> None:
        """Mark the flight as failed; the relay publishes its rows."""
        self._end(False)

    def _end(self, arrived: bool) -> None:
        self.after = ()
        if not self.arrived.done():
            self.arrived.set_result(arrived)


class Flights:
    """The newest flight of each entity in this process."""

    def __init__(self) -> None:
        self._newest: OrderedDict[Entity, Flight] = OrderedDict()

    def newest(self, entity: Entity) -> Flight | None:
        """Return the newest flight of an entity, or None."""
        return self._newest.get(entity)

    def begin(self, entities: Iterable[Entity]) -> Flight:
        """Begin a flight after the newest flights of the entities. Call it while their locks are held."""
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
        """Restore the previous flights of the entities after a rollback."""
        for entity, other in before.items():
            if self._newest.get(entity) is flight:
                if other is None:
                    del self._newest[entity]
                else:
                    self._newest[entity] = other
        flight.fail()
