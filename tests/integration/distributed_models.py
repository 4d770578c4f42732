"""All stores of the distributed profile, filled with a small community by the groups, without worker processes."""

from __future__ import annotations

import random
from collections.abc import Collection, Iterable
from contextlib import AsyncExitStack
from typing import Self

import pytest

from events.ids import Millis, wall_clock
from events.log import New, Record
from runtime.distributed.engines import Engines
from runtime.distributed.kafka_clients import event_log, publisher
from runtime.distributed.rebuild.batch_runner import build
from runtime.distributed.rebuild.scratch_generation import buildings
from runtime.distributed.settings import DistributedSettings
from runtime.settings import load
from tests.community import Community
from tests.histories import CHOICES
from tests.integration.installation import Installation


def community(steps: int = 150, seed: int = 5) -> Community:
    """A community with a random history."""
    chance, made = random.Random(seed), Community()
    made.now = Millis(wall_clock() - 20 * 86_400_000)  # recent enough for timelines to keep it
    for _ in range(8):
        made.register()
    for _ in range(steps):
        made.act(chance.choice(CHOICES), chance.randrange(8), chance.randrange(8), chance.randrange(60))
    return made


def record_again(record: Record) -> New:
    """What appends the event of a record, which has to be readable."""
    assert record.event is not None
    return New(record.event, record.about)


class Live:
    """The live read models of an installation: connected engines, and a log to append to."""

    def __init__(self, installation: Installation, monkeypatch: pytest.MonkeyPatch) -> None:
        for name, value in installation.environment.items():
            if name.startswith("MINITWITTER_"):
                monkeypatch.setenv(name, value)
        monkeypatch.chdir(installation.directory)
        self.settings = load().settings
        self._stack = AsyncExitStack()

    async def __aenter__(self) -> Self:
        async with AsyncExitStack() as stack:
            engines = self.engines = await stack.enter_async_context(
                Engines.open(DistributedSettings.of(self.settings))
            )
            self.publisher = await stack.enter_async_context(publisher(engines.settings))
            self.generations = engines.generations
            opened = event_log(engines.settings, engines.codec, engines.keys, self.publisher)
            self.log = await stack.enter_async_context(opened)
            self.building = list(buildings(engines, self.generations, self.publisher).values())
            for building in self.building:
                if building.close is not None:
                    stack.push_async_callback(building.close)
            self._stack = stack.pop_all()
        return self

    async def __aexit__(self, *error: object) -> None:
        await self._stack.aclose()

    async def append(self, records: Iterable[Record]) -> None:
        """Append these events."""
        await self.log.append([record_again(record) for record in records])

    async def project(self, limit: int = 60, only: Collection[str] | None = None) -> int:
        """Apply the log to its end in all groups and in the decision state."""
        ends = await self.log.ends()
        chosen = [b for b in self.building if only is None or b.name in only]
        return await build(self.engines.log, chosen, {b.name: ends for b in chosen}, limit=limit)
