"""Queue the commands of a process: one command at a time for each entity, first come, first served.

Without the queue, they would wait for locks in PostgreSQL, each with a connection. A single busy account could then
take all connections.
"""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Iterable
from contextlib import asynccontextmanager

from events.first_copies import Entity


class Turns:
    """The last command in the queue of each entity in use."""

    def __init__(self) -> None:
        self._last: dict[Entity, asyncio.Future[None]] = {}

    @asynccontextmanager
    async def take(self, entities: Iterable[Entity]) -> AsyncIterator[None]:
        """Wait for the turn of all entities. A command joins all queues at once, so no two wait for each other."""
        own = set(entities)
        before = {last for entity in own if (last := self._last.get(entity)) is not None}
        over: asyncio.Future[None] = asyncio.get_running_loop().create_future()
        self._last.update(dict.fromkeys(own, over))
        try:
            for one in before:
                await asyncio.shield(one)
            yield
        finally:
            over.set_result(None)
            for entity in own:
                if self._last[entity] is over:
                    del self._last[entity]
