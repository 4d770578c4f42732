"""What goes wrong in the simulated world, all of it drawn from the seed.

A step is any statement on a connection that writes, before and after every commit of the log, every read of the log by
a processor, and the moments before a request is handled and after it is answered. A crash ends the process at a
step: from then on every step of that process fails, and what was not committed is lost with its connections.
"""

from __future__ import annotations

import asyncio
import weakref
from collections.abc import Callable, Iterable, Mapping
from contextlib import suppress
from random import Random
from typing import Any

import apsw
from msgspec import structs

from events.ids import Millis
from events.log import Positions, Record, TopicPartition
from events.sqlite.log import SqliteLogReader

START = Millis(1_750_000_000_000)
_NEVER = 1 << 39


class Crash(BaseException):
    """The process ends here. No handler of an Exception sees it."""


class Clock:
    """The wall clock of the simulated machine, in milliseconds; it moves when the world moves it."""

    def __init__(self) -> None:
        self.now = START

    def __call__(self) -> Millis:
        return self.now

    def pass_(self, milliseconds: int) -> None:
        """Time passes; with a negative number the clock was set back."""
        self.now = Millis(self.now + milliseconds)


class Faults:
    """Decides at each step of one process whether it goes on."""

    def __init__(self, chance: Random) -> None:
        self._chance = chance
        self._connections: weakref.WeakSet[apsw.Connection] = weakref.WeakSet()
        self.calm = True
        self.alive = True
        self.steps = 0
        self._left: int | None = None
        self._commits_left: int | None = None

    def schedule(self) -> None:
        """Draw when the next crash is: at some statement, or just before or after some commit of the log."""
        self.calm = False
        self._left = self._commits_left = None
        if self._chance.random() < 0.6:
            self._left = self._chance.randrange(1, 3500)
        else:
            self._commits_left = self._chance.randrange(2, 60)

    def calm_down(self) -> None:
        """No more faults."""
        self.calm = True
        self._left = self._commits_left = None

    def step(self) -> None:
        """Go on, or crash."""
        if not self.alive:
            raise Crash
        self.steps += 1
        if self._left is not None:
            self._left -= 1
            if self._left <= 0:
                self.crash()

    def crash(self) -> None:
        """End the process."""
        self.alive = False
        raise Crash

    async def off_loop(self, work: Callable[[], None]) -> None:
        """Commit where one stands, after whatever else is ready, with a step before and one after."""
        for _ in range(self._chance.choice((0, 1, 5))):
            await asyncio.sleep(0)
        self._near_commit()
        work()
        self._near_commit()

    def _near_commit(self) -> None:
        if self._commits_left is not None:
            self._commits_left -= 1
            if self._commits_left <= 0:
                self.crash()
        self.step()

    def watch(self, connection: apsw.Connection) -> None:
        """Make every statement of a connection that writes a step."""
        self._connections.add(connection)
        if not connection.readonly("main"):
            connection.exec_trace = self._traced

    def _traced(self, cursor: apsw.Cursor, sql: str, bindings: Any) -> bool:
        if sql == "ROLLBACK":
            return True  # what a crash does as well
        self.step()
        if not self.calm and sql == "COMMIT" and self._chance.random() < 0.03:
            raise apsw.FullError("the simulated disk is full")
        return True

    def bury(self) -> None:
        """Drop the connections of the dead process; what they had not committed is gone."""
        self.alive = False
        for connection in list(self._connections):
            with suppress(apsw.Error):
                connection.exec_trace = None
                connection.close(True)


class Deliveries:
    """The log as an unlucky processor sees it: batches of any length, partitions late, earlier records once more.

    What is delivered again comes before the last record that the processor has of that partition, so that
    its positions never say less than it has seen.
    """

    def __init__(self, log: SqliteLogReader, faults: Faults, chance: Random) -> None:
        self.unreadable: set[tuple[TopicPartition, int]] = set()
        """Records that cannot be read for now."""
        self._log = log
        self._faults = faults
        self._chance = chance

    async def ends(self) -> Positions:
        """Where each partition ends."""
        return await self._log.ends()

    async def read(
        self, after: Mapping[TopicPartition, int], limit: int, topics: Iterable[str] | None = None
    ) -> list[Record]:
        """Records from `after` on, as badly delivered as may be; one that is asked for alone comes as it is."""
        self._faults.step()
        if self._faults.calm or limit == 1:
            return self._spoiled(await self._log.read(after, limit, topics))
        chance = self._chance
        again = self._again(after) if chance.random() < 0.25 else []
        start = Positions(after)
        if chance.random() < 0.4:
            for place in self._log.table.places:
                if chance.random() < 0.5:
                    start[place] = _NEVER
        limit = min(limit, chance.choice((1, 2, 3, 5, 8, 13, 1000)))
        return self._spoiled(again + await self._log.read(start, limit, topics))

    def _spoiled(self, records: list[Record]) -> list[Record]:
        if not self.unreadable:
            return records
        return [
            structs.replace(record, event=None, fault="it cannot be read for now")
            if (record.place, record.offset) in self.unreadable
            else record
            for record in records
        ]

    def _again(self, after: Mapping[TopicPartition, int]) -> list[Record]:
        records: list[Record] = []
        for place, offset in sorted(after.items()):
            if 0 < offset < _NEVER and self._chance.random() < 0.4:
                start = self._chance.choice((0, max(0, offset - 3), self._chance.randrange(offset)))
                records += self._log.table.read(place, start, min(self._chance.randrange(1, 10), offset - start))
                if records[-1].offset < offset - 1:
                    records += self._log.table.read(place, offset - 1, 1)
        return records
