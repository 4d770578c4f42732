"""Notes how far a rebuild is while it runs, in PostgreSQL: other processes cannot see it otherwise."""

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
"""What the decision state is called in the place of a store."""


class ProgressListener(NamedTuple):
    """What a rebuild tells how far it is: `begin` hears how many events there are, `advance` how many are applied."""

    begin: Callable[[int], None]
    advance: Callable[[int], None]


async def rebuilds(settings: Settings) -> list[Rebuild]:
    """The rebuilds that run now. Raises BadSettings, StoreUnavailable."""
    return await Rebuilds(PostgresSettings.of(settings).postgres).running()


@contextlib.asynccontextmanager
async def noted(url: str, store: str, told: ProgressListener) -> AsyncIterator[ProgressListener]:
    """Note what a rebuild tells, and tell `told` too. A PostgreSQL that is away costs notes, not the rebuild."""
    notes = Rebuilds(url)
    rebuild = Rebuild(store, 0, 0)

    def begin(total: int) -> None:
        nonlocal rebuild
        rebuild = Rebuild(store, 0, total)
        told.begin(total)

    def advance(events: int) -> None:
        nonlocal rebuild
        # Events that arrive while it runs are applied beyond the total.
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
