"""All read models of the embedded profile, in memory: tests pass events in and read through the ports."""

from __future__ import annotations

import asyncio
from collections.abc import Iterable, Sequence
from pathlib import Path

from events.log import Positions, Record, positions_after
from events.sealing import MasterKeys, Sealer
from runtime.embedded.models import ALL_TABLES, GROUPS, readers
from runtime.embedded.processors import Processors
from stores.sqlite.views import Views

_SEALER = Sealer(MasterKeys({"test": bytes(32)}))


class Projected:
    """All groups of processors on one views.db."""

    def __init__(self, path: Path = Path(":memory:")) -> None:
        self.views = Views(path, ALL_TABLES)
        processors = Processors(self.views, _SEALER, 1)
        self.groups = [processors.live(name) for name in GROUPS]
        self.readers = readers(self.views.connection, self.views.names())
        self._positions = Positions()

    async def apply(self, records: Sequence[Record]) -> None:
        """Apply one batch in every group."""
        self._positions = positions_after(records, self._positions)
        for group in self.groups:
            await group.apply(records, self._positions)

    def digests(self) -> dict[str, tuple[int, str]]:
        """Return the number of rows and the digest of every read model."""
        return {model: self.views.digest(model) for model in self.views.models}

    def close(self) -> None:
        """Close the database and free its memory."""
        self.views.connection.close()


def projected(batches: Iterable[Sequence[Record]]) -> Projected:
    """Return read models that applied batches of records, outside any event loop."""
    models = Projected()

    async def apply() -> None:
        for batch in batches:
            await models.apply(batch)

    asyncio.run(apply())
    return models


def digests(batches: Iterable[Sequence[Record]]) -> dict[str, tuple[int, str]]:
    """Return the digests after these batches."""
    models = projected(batches)
    try:
        return models.digests()
    finally:
        models.close()
