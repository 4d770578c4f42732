"""The checks of the chaos tests find each difference, tried on a service that lost nothing."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from pathlib import Path

import pytest

from tests.chaos.checking import Reading
from tests.chaos.ledger import Ledger, Tweet
from tests.chaos.load import Writer
from tests.integration.running import Serving

WRITES = 80

pytestmark = pytest.mark.slow


class Written:
    """A service with acknowledged writes, and their ledger."""

    def __init__(self, url: str) -> None:
        self.url = url
        self.ledger = Ledger()
        self.writers = [Writer(f"writer{number}", "seed", self.ledger, [url], url) for number in range(3)]

    async def write(self) -> Written:
        for writer in self.writers:
            writer.headers = await writer.register()
        on = True
        writing = asyncio.gather(*(writer.write(lambda: on, 0.0) for writer in self.writers))
        await self.ledger.more(WRITES, 60)
        on = False
        await writing
        return self

    async def found(self) -> list[str]:
        reading = Reading(self.url, self.ledger, {writer.name: writer.headers for writer in self.writers})
        await reading.caught_up()
        await reading.everything()
        await reading.close()
        return reading.findings

    async def close(self) -> None:
        for writer in self.writers:
            await writer.close()


@pytest.fixture
async def written(tmp_path: Path) -> AsyncIterator[Written]:
    with Serving(tmp_path / "data") as server:
        made = await Written(server.url).write()
        yield made
        await made.close()


async def test_served_data_equals_the_ledger_and_each_difference_is_found(written: Written) -> None:
    ledger = written.ledger
    assert ledger.violations == []
    assert ledger.happened["reads of one's own write"] > 0
    assert await written.found() == []
    one = next(iter(ledger.live.values()))

    ledger.tweets["lost"] = Tweet("01900000-0000-7000-8000-000000000000", one.author, "lost", None)
    assert any("01900000-0000-7000-8000-000000000000 of" in finding for finding in await written.found())
    del ledger.tweets["lost"]

    ledger.deleted.add(one.id)
    assert any(f"deleted tweet {one.id}" in finding for finding in await written.found())
    ledger.deleted.remove(one.id)

    ledger.likes ^= {(one.author, one.id)}
    assert any(f"tweet {one.id}: likes" in finding for finding in await written.found())
    ledger.likes ^= {(one.author, one.id)}

    ledger.follows ^= {("writer0", "writer1")}
    found = await written.found()
    assert any("feed of writer0" in finding for finding in found)
    assert any("writer1: followers" in finding for finding in found)
    ledger.follows ^= {("writer0", "writer1")}

    ledger.accounts.add("nobody_there")
    assert any("account nobody_there" in finding for finding in await written.found())
    ledger.accounts.remove("nobody_there")
    assert await written.found() == []


async def test_a_service_that_stops_answering_is_a_violation() -> None:
    ledger = Ledger()
    await ledger.more(1, 0.0)
    assert len(ledger.violations) == 1
