"""Registers which event versions a process reads and writes (stores/postgres/event_versions.py)."""

from __future__ import annotations

import asyncio
import contextlib
import uuid
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

from events.event import BY_NAME
from events.topics import LOGGED
from stores.postgres.event_versions import BEAT_S, EventVersions
from stores.sink import StoreUnavailable


def versions() -> dict[str, int]:
    """Return the newest version of each event in the log that this software reads, and the one that it writes."""
    return {name: kind.version for name, kind in BY_NAME.items() if kind.topic in LOGGED}


class ReaderRegistration:
    """The registration of a process that reads the log. `role` is shown to people."""

    def __init__(self, url: str, role: str) -> None:
        self._registry = EventVersions(url)
        self._role = role
        self._process = str(uuid.uuid4())

    @classmethod
    @asynccontextmanager
    async def open(cls, url: str, role: str) -> AsyncIterator[ReaderRegistration]:
        """Register until closed. Raises NewerLog, StoreUnavailable."""
        registration = cls(url, role)
        try:
            await registration._register()
            yield registration
        finally:
            with contextlib.suppress(StoreUnavailable):
                await registration._registry.leave(registration._process)

    async def _register(self) -> None:
        await self._registry.register(self._process, self._role, versions())

    async def renew(self) -> None:
        """Renew it until cancelled. Raises NewerLog if it had expired and newer events were written meanwhile."""
        while True:
            await asyncio.sleep(BEAT_S)
            with contextlib.suppress(StoreUnavailable):
                await self._register()


async def may_write(url: str) -> None:
    """Check that every running reader can read the events that this software writes.

    Raises ReadersBehind, NewerLog, StoreUnavailable.
    """
    await EventVersions(url).allow(versions())
