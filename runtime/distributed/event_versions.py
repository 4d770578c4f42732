"""What this software reads and writes, as a process of it tells the others (stores/postgres/event_versions.py)."""

from __future__ import annotations

import asyncio
import contextlib
import uuid

from events.event import BY_NAME
from events.topics import LOGGED
from stores.postgres.event_versions import BEAT_S, EventVersions
from stores.sink import StoreUnavailable


def versions() -> dict[str, int]:
    """The newest version of each event in the log that this software reads, and the one that it writes."""
    return {name: kind.version for name, kind in BY_NAME.items() if kind.topic in LOGGED}


class Reader:
    """A process that reads the log, as long as it runs. `role` is for people."""

    def __init__(self, url: str, role: str) -> None:
        self._registry = EventVersions(url)
        self._role = role
        self._process = str(uuid.uuid4())

    async def start(self) -> None:
        """Be let in. Raises NewerLog, StoreUnavailable."""
        await self._registry.register(self._process, self._role, versions())

    async def keep_telling(self) -> None:
        """Tell that it runs, until cancelled. Raises NewerLog where it was away for so long that others went on."""
        while True:
            await asyncio.sleep(BEAT_S)
            with contextlib.suppress(StoreUnavailable):
                await self.start()

    async def stop(self) -> None:
        """Say that it runs no longer."""
        with contextlib.suppress(StoreUnavailable):
            await self._registry.leave(self._process)


async def may_write(url: str) -> None:
    """Ask whether every reader that runs can read what this software writes.

    Raises ReadersBehind, NewerLog, StoreUnavailable.
    """
    await EventVersions(url).allow(versions())
