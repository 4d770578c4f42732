"""Resolve Consistency-Tokens that name outbox rows, of writes that were answered before they were in the log.

A read with such a token waits until the row is published, and then for its positions. A row is deleted an hour after
its publication; then the current ends of the log cover it.
"""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable, Mapping

from events.consistency_token import ConsistencyToken
from events.log import LogUnavailable, Positions
from events.postgres.connections import Pool, run

from .outbox import positions_of

_POLL_S = 0.02


class OutboxTokens:
    """Finds the positions of the rows that a token names, for readers. `ends` asks for the ends of the log."""

    def __init__(self, pool: Pool, ends: Callable[[], Awaitable[Positions]]) -> None:
        self._pool = pool
        self._ends = ends

    async def positions(self, token: ConsistencyToken, timeout: float) -> Positions | None:
        """Return the positions that a token stands for; None if a row has none after `timeout` seconds.

        Also None if PostgreSQL or the log cannot be asked: the read is answered as stale.
        """
        try:
            async with asyncio.timeout(timeout):
                while token.rows:
                    token = await self._located(token)
                    if token.rows:
                        await asyncio.sleep(_POLL_S)
        except (TimeoutError, LogUnavailable):
            return None
        return token.positions

    async def _located(self, token: ConsistencyToken) -> ConsistencyToken:
        found = await run(self._pool, lambda connection: positions_of(connection, token.rows))
        token = token.located(parsed(found))
        if gone := token.rows - found.keys():
            token = token.located(dict.fromkeys(gone, await self._ends()))
        return token


def parsed(found: Mapping[int, str | None]) -> dict[int, Positions]:
    """Return the positions of the published rows."""
    return {row: Positions.parse(text) for row, text in found.items() if text is not None}
