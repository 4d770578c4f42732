"""Rebuilds read models without downtime: builds a new generation beside the live one, then moves the pointer.

A rebuild runs in the process that advances the live group, in turns between its batches, and never overtakes it. So at
some moment both have the same positions; then the switch is one transaction, in which no event is missed or applied
twice. Derived records are passed to the rebuilt read models and not stored again. If the log is long, other processes
apply most of it first (fill.py).
"""

from __future__ import annotations

from collections.abc import Callable, Generator, Mapping
from pathlib import Path

from events.log import Positions, RecordReader
from runtime.embedded.fill import Fill
from runtime.embedded.generations import Generations
from runtime.processor_group import Group, Runner
from runtime.rebuild_progress import Compared, RebuildProgress
from stores.dead_letters import DeadLetter
from stores.sqlite.views import Views


class AlreadyRebuilding(Exception):
    """A rebuild of the read model is running."""

    def __init__(self, model: str) -> None:
        super().__init__(
            f"{model} is being rebuilt already; `minitwitter rebuild --status` says how far, `--cancel` ends it"
        )


class CannotGoBack(Exception):
    """There is no kept generation that this version of the software could continue."""


class LettersLeft(Exception):
    """A group has dead letters. Its read models are not rebuilt, because a rebuild would have records that the others
    lack.
    """

    def __init__(self, letter: DeadLetter, number: int) -> None:
        super().__init__(
            f"{letter.position} ({letter.type}) is a dead letter of {letter.group}, one of {number:,}: {letter.cause};"
            f" retry or discard them first: `minitwitter dead-letters list --group {letter.group}`"
        )


class Rebuild:
    """Builds generations of some read models of one group up to the live runner, and makes them current."""

    def __init__(
        self,
        views: Views,
        log: RecordReader,
        group: Group,
        generations: Mapping[str, int],
        replaces: Mapping[str, int],
        fill: Fill | None = None,
    ) -> None:
        self.models = tuple(generations)
        self._views = views
        self._runner = Runner(group, log)
        self.generations = generations
        self._replaces = replaces
        self._total = 0
        self._fill = fill

    @property
    def consumers(self) -> str:
        """The consumers whose positions it has."""
        return self._runner.group.name

    async def start(self) -> None:
        """Continue from the positions of its consumers: zero, or those of a kept generation."""
        await self._runner.start()

    @property
    def filling(self) -> bool:
        """Whether the first part is running, in other processes."""
        return self._fill is not None

    async def fill(self, seconds: float, live: Positions, timer: Callable[[], float]) -> None:
        """Take a turn of the first part. Raises FillFailed, StoreUnavailable."""
        assert self._fill is not None
        self._total = sum(live.values())
        self._fill.turn(seconds, timer)
        if self._fill.done:
            self._fill = None
            await self._runner.start()

    def stop(self) -> None:
        """Stop the first part if it is running."""
        if self._fill is not None:
            self._fill.stop()
            self._fill = None

    async def turn(self, live: Positions, limit: int) -> bool:
        """Apply one batch; return whether it has the positions of the live group, so that the switch is possible."""
        self._runner.limit = limit
        self._total = sum(live.values())
        if await self._runner.turn(until=live):
            return False
        return not await self._runner.group.emit_due() and self._runner.positions.covers(live)

    def switch(self, generations: Generations, live: str) -> None:
        """Make the built generations current, in one transaction."""
        with self._views.connection:
            generations.switch(self.generations, self._runner.group.name, live)

    def compare(self) -> Generator[None, None, tuple[Compared, ...]]:
        """Compare them with the generations that they replaced, as of the first step. Each step takes a few ms."""
        snapshot = Views(Path(self._views.path), self._views.models.values(), read_only=True)
        try:
            snapshot.connection.execute("BEGIN")
            snapshot.generations()  # the first read takes the snapshot
            yield
            compared = []
            for model, generation in self.generations.items():
                version = snapshot.models[model].version
                rows, digest = yield from snapshot.digest_steps(model, generation)
                same = None
                replaced = self._replaces.get(model)
                if replaced is not None:
                    same = (yield from snapshot.digest_steps(model, replaced)) == (rows, digest)
                compared.append(Compared(model, generation, version, rows, digest, same))
            snapshot.connection.execute("COMMIT")
            return tuple(compared)
        finally:
            snapshot.connection.close()

    def progress(self, state: str, compared: tuple[Compared, ...] = (), detail: str = "") -> RebuildProgress:
        """Return its progress."""
        done = sum(self._runner.positions.values())
        if self._fill is not None:
            done = int(self._fill.fraction * self._total)
        return RebuildProgress(self.models, state, done, self._total, compared, detail)
