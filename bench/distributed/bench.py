"""What the parts of a run share: engines, a directory, the length of measurements, and one town."""

from __future__ import annotations

import contextlib
from collections.abc import AsyncIterator
from pathlib import Path

from .engines import Engines
from .installation import Installation
from .town import Size, Town

FULL_S = 10.0
"""Seconds of each measurement in a full run; a shorter run has less data as well."""


class Bench:
    """One run."""

    def __init__(self, engines: Engines, directory: Path, seconds: float = FULL_S) -> None:
        self.engines = engines
        self.directory = directory
        self.seconds = seconds
        self._town: Town | None = None

    @property
    def scale(self) -> float:
        """The share of a full run's data."""
        return min(1.0, self.seconds / FULL_S)

    def some(self, number: int, least: int = 1) -> int:
        """Return this share of a number."""
        return max(least, int(number * self.scale))

    @contextlib.asynccontextmanager
    async def installation(self) -> AsyncIterator[Installation]:
        """Yield an installation for one part alone."""
        made = Installation(self.directory, self.engines)
        await made.set_up()
        try:
            yield made
        finally:
            await made.remove()

    async def town(self) -> Town:
        """Return the town; the first call fills it."""
        if self._town is None:
            installation = Installation(self.directory, self.engines)
            await installation.set_up()
            self._town = Town(installation)
            await self._town.fill(Size(self.some(100, 20), self.some(400, 120), self.some(2000, 400)))
        return self._town

    async def close(self) -> None:
        """Remove the town."""
        if self._town is not None:
            await self._town.installation.remove()
