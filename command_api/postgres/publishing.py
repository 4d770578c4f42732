"""Publish outbox rows from the process that wrote them, which answers its client when they are in the log.

Rows that cannot be published within BOUND_S are handed back to the relay; the write is durable all the same. Marks of
published rows are batched for some milliseconds, so that under load one statement marks many rows. Rows are handed back
without delay.
"""

from __future__ import annotations

import asyncio
from collections.abc import Sequence
from functools import reduce

from events.consistency_token import ConsistencyToken
from events.kept import KeptKey
from events.log import LogUnavailable, Positions
from events.postgres.connections import RETRIED, Pool, available
from events.publishing import Outgoing, Publisher
from events.retries import Backoff, Outage

from .flights import Flight
from .kept import KeptKeys, note_published
from .outbox import hand_back, note

BOUND_S = 0.8
"""Seconds to publish in: less than the lease of a row, after which the relay would publish a second copy."""
_NOTE_AGAIN = Backoff((0.25,))
_GATHER_S = 0.01
"""Seconds for which marks are batched. At 1,000 rows a second this saves most of the transactions.

Until a row is marked, another process that writes to the same entity leaves its own row to the relay.
"""

Row = tuple[int, Outgoing]


class Publishing:
    """Publishes the events of this process, and before them the keys that seal them.

    Without `kept`, keys are stored in the database only.
    """

    def __init__(
        self, pool: Pool, publisher: Publisher, bound_s: float = BOUND_S, kept: KeptKeys | None = None
    ) -> None:
        self._pool = pool
        self._publisher = publisher
        self._kept = kept
        self._bound_s = bound_s
        self.newest = 0
        """The highest row number that this process wrote."""
        self._published: dict[int, str] = {}
        self._published_keys: list[tuple[Sequence[KeptKey], Positions]] = []
        self._handed_back: set[int] = set()
        self._flying: dict[int, Flight] = {}
        self._noting: asyncio.Task[None] | None = None
        self._outage = Outage(_NOTE_AGAIN, "noting rows of the outbox as published")

    async def positions(self, number: int) -> str | None:
        """Wait while this process publishes a row; return its positions, or None if they are in the database only."""
        flight = self._flying.get(number)
        if flight is not None:
            await asyncio.wait([flight.arrived])
        return self._published.get(number)

    async def publish(self, flight: Flight, rows: Sequence[Row], keys: Sequence[KeptKey] = ()) -> ConsistencyToken:
        """Publish the rows of a command; return the token of their positions, or of rows that were handed back."""
        numbers = [number for number, _ in rows]
        self.newest = max(self.newest, *numbers)
        positions = None
        self._flying.update(dict.fromkeys(numbers, flight))
        try:
            async with asyncio.timeout(self._bound_s):
                if not await _arrived(flight.after):
                    raise LogUnavailable("an earlier event of the same entity is not in the log yet")
                if keys and self._kept is not None:
                    self._published_keys.append((keys, await self._kept.publish(keys)))
                positions = await self._publisher.publish([record for _, record in rows])
        except (LogUnavailable, TimeoutError):
            pass
        finally:
            for number in numbers:
                del self._flying[number]
            if positions is None:
                flight.fail()
                self._handed_back.update(numbers)
            else:
                flight.arrive(positions)
                self._published.update(dict.fromkeys(numbers, str(positions)))
            self._note()
        return ConsistencyToken(rows=frozenset(numbers)) if positions is None else ConsistencyToken(positions)

    async def close(self) -> None:
        """Mark the published rows if the server can be reached; the relay publishes unmarked ones again as copies."""
        if self._noting is not None:
            await asyncio.wait([self._noting], timeout=self._bound_s)
            self._noting.cancel()
            await asyncio.wait([self._noting])

    def _note(self) -> None:
        if self._noting is None or self._noting.done():
            self._noting = asyncio.ensure_future(self._keep_noting())

    async def _keep_noting(self) -> None:
        while self._published or self._handed_back or self._published_keys:
            if not self._handed_back:
                await asyncio.sleep(_GATHER_S)
            published, handed_back = dict(self._published), set(self._handed_back)
            keys = list(self._published_keys)
            try:
                async with available(), self._pool.connection() as connection:
                    if published:
                        await note(connection, list(published.items()))
                    if handed_back:
                        await hand_back(connection, list(handed_back))
                    if keys:
                        reached = reduce(Positions.merged, (positions for _, positions in keys), Positions())
                        await note_published(connection, [key for some, _ in keys for key in some], reached)
            except (LogUnavailable, *RETRIED) as error:
                await self._outage.wait(error)
                continue
            self._outage.end()
            for number in published:
                del self._published[number]
            self._handed_back -= handed_back
            del self._published_keys[: len(keys)]


async def _arrived(flights: Sequence[Flight]) -> bool:
    if flights:
        await asyncio.wait([flight.arrived for flight in flights])
    return all(flight.arrived.result() for flight in flights)
