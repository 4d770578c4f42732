"""Logs of both profiles with some events, and exports of them."""

from __future__ import annotations

from collections.abc import AsyncIterator, Callable
from pathlib import Path
from typing import Any

import pytest

from events.ids import Millis
from events.log import EventLog, Positions
from events.topics import LOGGED
from runtime.exporting.destination import Destination, destination
from runtime.exporting.export import Export
from runtime.exporting.manifest import Manifest, Selection
from tests.contracts.embedded import Embedded
from tests.contracts.kafka_system import KafkaSystem
from tests.contracts.logged import ACCOUNTS, LogSystem, followed, posted, registered

ALL = tuple(sorted(LOGGED))
DAY_MS = 86_400_000


@pytest.fixture(params=["sqlite", pytest.param("kafka", marks=pytest.mark.engines)])
async def make_log(request: pytest.FixtureRequest, tmp_path: Path) -> AsyncIterator[Callable[..., LogSystem]]:
    """Open logs of either profile, and close them after the test."""
    opened: list[LogSystem] = []

    def made(name: str = "data") -> LogSystem:
        if request.param == "kafka":
            opened.append(KafkaSystem(tmp_path / name, servers=request.getfixturevalue("kafka"), partitions=2))
        else:
            opened.append(Embedded(tmp_path / name, partitions=2))
        return opened[-1]

    yield made
    for one in opened:
        await one.close()


@pytest.fixture
def system(make_log: Callable[..., LogSystem]) -> LogSystem:
    return make_log()


@pytest.fixture
def log(system: LogSystem) -> EventLog:
    return system.log


@pytest.fixture
def place(tmp_path: Path) -> Destination:
    return destination(str(tmp_path / "export"))


async def fill(system: LogSystem, times: int = 1) -> None:
    """Append events of three topics, of two days."""
    for _ in range(times):
        await system.log.append([registered(system, account) for account in ACCOUNTS])
        for account in ACCOUNTS:
            system.clock.now = Millis(system.clock.now + DAY_MS // len(ACCOUNTS))
            await system.log.append([posted(system, account), followed(system, account)])


async def exported(log: Any, to: Destination, selection: Selection, *, chunk: int = 7, **until: Positions) -> Manifest:
    export = Export(log, to, selection, chunk=chunk)
    ends = until.get("until") or await log.ends()
    await export.begin(ends)
    return await export.run(ends, lambda events: None)
