"""Lets `verify` and `rebuild` pause a worker's group between two batches, while they compare its rows."""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Sequence
from typing import TypeVar

from events.log import Positions, Record
from stores.postgres.pauses import BatchLock
from streams.faust_worker import Hosted

T = TypeVar("T")


def pause_name(prefix: str, group: str) -> str:
    """Return the name of a group's pauses in PostgreSQL; `prefix` is that of the topics."""
    return f"{prefix}{group}"


class PausableGroup:
    """A group of a worker whose batches can be paused. Each batch runs within `lock`."""

    def __init__(self, hosted: Hosted, lock: BatchLock) -> None:
        self._hosted = hosted
        self._lock = lock
        self.name = hosted.name
        self.topics = hosted.topics

    async def positions(self) -> Positions:
        """Return the positions of the group."""
        return await self._hosted.positions()

    async def apply(self, records: Sequence[Record], positions: Positions) -> object:
        """Commit one batch, after any pause. Raises StoreUnavailable also if a pause takes long: try again."""
        return await self.between(lambda: self._hosted.apply(records, positions))

    async def between(self, work: Callable[[], Awaitable[T]]) -> T:
        """Run this between batches, as if it were one. Raises StoreUnavailable in the same way."""
        async with self._lock.batch():
            return await work()

    async def close(self) -> None:
        """Stop waiting for pauses."""
        await self._lock.close()
