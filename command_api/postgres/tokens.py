"""Consistency-Tokens that name rows of the outbox, for writes that were answered before they stood in the log.

A read that is to see such a write waits until the row is published, and then for its positions. Where the row is
gone, an hour after it was published, whatever stands in the log by now covers it.
"""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable, Mapping

from events.log import LogUnavailable, Positions
from events.postgres.connections import Pool, run

from .outbox import OUTBOX, positions_of

_POLL_S = 0.02


def rows_of(positions: Positions) -> list[int]:
    """The rows of the outbox among positions."""
    return [place.partition for place in positions if place.topic == OUTBOX]


def settled(positions: Positions, known: Mapping[int, str | None]) -> Positions:
    """With the positions of rows in place of the rows; those that have none stay."""
    result = Positions()
    for place, offset in positions.items():
        text = known.get(place.partition) if place.topic == OUTBOX else None
        result = result.merged({place: offset} if text is None else Positions.parse(text))
    return result


class OutboxTokens:
    """Finds the positions of rows that a token names, for whoever reads. `ends` are those of the log as of now."""

    def __init__(self, pool: Pool, ends: Callable[[], Awaitable[Positions]]) -> None:
        self._pool = pool
        self._ends = ends

    async def settle(self, positions: Positions, timeout: float) -> Positions | None:
        """Positions without rows of the outbox; None where that takes longer than `timeout` seconds.

        Also None where PostgreSQL or the log cannot be asked: then nobody knows, and the read is answered as stale.
        """
        if not rows_of(positions):
            return positions
        try:
            async with asyncio.timeout(timeout):
                return await self._settle(positions)
        except (TimeoutError, LogUnavailable):
            return None

    async def _settle(self, positions: Positions) -> Positions:
        while True:
            rows = rows_of(positions)
            found = await run(self._pool, lambda connection: positions_of(connection, rows))  # noqa: B023  awaited
            positions = settled(positions, found)
            if any(row not in found for row in rows):
                ends = str(await self._ends())
                positions = settled(positions, {row: ends for row in rows if row not in found})
            if not rows_of(positions):
                return positions
            await asyncio.sleep(_POLL_S)
