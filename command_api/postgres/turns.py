"""Turns within a process: one command at a time of each entity, first come, first served.

PostgreSQL would make them wait as well, each with a connection in its hand; a single busy account could take them all.
"""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Iterable
from contextlib import AsyncExitStack, asynccontextmanager
from weakref import WeakValueDictionary

from events.first_copies import Entity


class Turns:
    """Locks of the entities in use."""

    def __init__(self) -> None:
        self._locks: WeakValueDictionary[Entity, asyncio.Lock] = WeakValueDictionary()

    @asynccontextmanager
    async def take(self, entities: Iterable[Entity]) -> AsyncIterator[None]:
        """Wait for the turn of all of them; in sorted order, so that no two wait for each other."""
        async with AsyncExitStack() as stack:
            for entity in sorted(set(entities)):
                lock = self._locks.get(entity)
                if lock is None:
                    lock = self._locks[entity] = asyncio.Lock()
                await stack.enter_async_context(lock)
            yield
