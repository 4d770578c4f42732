"""A worker's processors, standing still between two batches while somebody compares what they keep."""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Sequence
from typing import TypeVar

from events.log import Positions, Record
from stores.postgres.pauses import Landing
from streams.faust_worker import Hosted

T = TypeVar("T")


def pause_name(prefix: str, group: str) -> str:
    """What a group's pauses go by in PostgreSQL; `prefix` is that of the topics."""
    return f"{prefix}{group}"


class PausableGroup:
    """A group that a worker hosts, with its batches within `landing`."""

    def __init__(self, hosted: Hosted, landing: Landing) -> None:
        self._hosted = hosted
        self._landing = landing
        self.name = hosted.name
        self.topics = hosted.topics

    async def positions(self) -> Positions:
        """How far its effects reach."""
        return await self._hosted.positions()

    async def apply(self, records: Sequence[Record], positions: Positions) -> object:
        """Land one batch, after a pause. Raises StoreUnavailable also where a pause takes long: try again."""
        return await self.between(lambda: self._hosted.apply(records, positions))

    async def between(self, work: Callable[[], Awaitable[T]]) -> T:
        """Do this as a batch is landed. Raises StoreUnavailable likewise."""
        async with self._landing.batch():
            return await work()

    async def close(self) -> None:
        """Wait for no pauses any more."""
        await self._landing.close()
