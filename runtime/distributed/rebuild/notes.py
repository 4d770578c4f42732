"""Stores the progress of a running rebuild in PostgreSQL, where other processes can read it."""

from __future__ import annotations

import asyncio
import contextlib
from collections.abc import AsyncIterator, Callable
from typing import NamedTuple

from runtime.distributed.settings import PostgresSettings
from runtime.settings import Settings
from stores.postgres.rebuilds import BEAT_S, Rebuild, Rebuilds
from stores.sink import StoreUnavailable

DECISIONS = "decisions"
"""The name of the decision state, used like a store's."""


class ProgressListener(NamedTuple):
    """Receives the progress of a rebuild: `begin` the number of events, `advance` the number applied since the last
    call.
    """

    begin: Callable[[int], None]
    advance: Callable[[int], None]


async def rebuilds(settings: Settings) -> list[Rebuild]:
    """Return the running rebuilds. Raises BadSettings, StoreUnavailable."""
    return await Rebuilds(PostgresSettings.of(settings).postgres).running()


@contextlib.asynccontextmanager
async def noted(url: str, store: str, told: ProgressListener) -> AsyncIterator[ProgressListener]:
    """Store the progress, and pass it to `told`. If PostgreSQL is unreachable, the rebuild continues without stored
    progress.
    """
    notes = Rebuilds(url)
    rebuild = Rebuild(store, 0, 0)

    def begin(total: int) -> None:
        nonlocal rebuild
        rebuild = Rebuild(store, 0, total)
        told.begin(total)

    def advance(events: int) -> None:
        nonlocal rebuild
        # Events that arrive during the rebuild are applied beyond the total.
        rebuild = rebuild._replace(done=min(rebuild.done + events, rebuild.total))
        told.advance(events)

    async def keep_noting() -> None:
        while True:
            with contextlib.suppress(StoreUnavailable):
                await notes.note(rebuild)
            await asyncio.sleep(BEAT_S)

    noting = asyncio.create_task(keep_noting())
    try:
        yield ProgressListener(begin, advance)
    finally:
        noting.cancel()
        await asyncio.wait([noting])
        with contextlib.suppress(StoreUnavailable):
            await notes.end(store)
