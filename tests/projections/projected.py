"""All read models, as the embedded profile keeps them, in memory: events in, read ports and digests out."""

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
    """Every group of processors on one views.db of its own."""

    def __init__(self, path: Path = Path(":memory:")) -> None:
        self.views = Views(path, ALL_TABLES)
        processors = Processors(self.views, _SEALER, 1)
        self.groups = [processors.live(name) for name in GROUPS]
        self.readers = readers(self.views.connection, self.views.names())
        self._positions = Positions()

    async def apply(self, records: Sequence[Record]) -> None:
        """Land one batch in every group."""
        self._positions = positions_after(records, self._positions)
        for group in self.groups:
            await group.apply(records, self._positions)

    def digests(self) -> dict[str, tuple[int, str]]:
        """Rows and digest of every read model."""
        return {model: self.views.digest(model) for model in self.views.models}

    def close(self) -> None:
        """Let go of the memory."""
        self.views.connection.close()


def projected(batches: Iterable[Sequence[Record]]) -> Projected:
    """Read models that were given batches of records, outside any event loop."""
    models = Projected()

    async def apply() -> None:
        for batch in batches:
            await models.apply(batch)

    asyncio.run(apply())
    return models


def digests(batches: Iterable[Sequence[Record]]) -> dict[str, tuple[int, str]]:
    """The digests that batches end in."""
    models = projected(batches)
    try:
        return models.digests()
    finally:
        models.close()
