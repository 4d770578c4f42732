"""A killed Cassandra loses no effects whose positions were stored, and the processors continue."""

from __future__ import annotations

import asyncio
import random
import time

import pytest

from events.log import Positions, Record, TopicPartition, positions_after
from infra.local.cassandra import Cassandra
from infra.local.running import Running
from stores.sink import StoreUnavailable
from tests.community import ACTIONS, Community
from tests.stores.on_cassandra import OnCassandra

pytestmark = [pytest.mark.engines, pytest.mark.slow]

BATCH = 40


def eventful(seed: int, things: int) -> Community:
    """A community with a long history."""
    community, chance = Community(), random.Random(seed)
    for _ in range(5):
        community.register()
    for _ in range(things):
        community.act(chance.choice(ACTIONS), chance.randrange(5), chance.randrange(5), chance.randrange(200))
    return community


def after(records: list[Record], positions: Positions) -> list[Record]:
    return [record for record in records if record.offset >= positions.get(record.place, 0)]


async def commit(kept: OnCassandra, records: list[Record], acknowledged: list[Positions]) -> None:
    """Apply the remaining records until the store is unavailable."""
    group = kept.group()
    positions = await group.sink.positions()
    waiting = after(records, positions)
    for start in range(0, len(waiting), BATCH):
        batch = waiting[start : start + BATCH]
        positions = positions_after(batch, positions)
        await group.apply(batch, positions)
        acknowledged.append(positions)


def test_a_cassandra_killed_during_batches_loses_none_whose_positions_were_stored(running: Running) -> None:
    engine = Cassandra()
    url = running.up(engine).url
    community = eventful(11, 1200)
    kept = OnCassandra(url, durable=True)
    acknowledged: list[Positions] = []

    async def killed() -> None:
        committing = asyncio.create_task(commit(kept, community.records, acknowledged))
        deadline = time.monotonic() + 60
        while len(acknowledged) < 5:
            assert time.monotonic() < deadline
            await asyncio.sleep(0.001)
        await asyncio.to_thread(running.kill, "cassandra")
        with pytest.raises(StoreUnavailable):
            await committing

    kept.run(killed())
    assert len(acknowledged) < len(community.records) // BATCH
    running.up(engine)

    async def goes_on() -> Positions:
        deadline = time.monotonic() + 60
        while True:
            try:
                return await kept.group().sink.positions()
            except StoreUnavailable:
                assert time.monotonic() < deadline, "the session did not come back"
                await asyncio.sleep(0.1)

    noted = kept.run(goes_on())
    assert noted.covers(acknowledged[-1])
    kept.run(commit(kept, community.records, acknowledged))
    assert kept.run(kept.group().sink.positions())[TopicPartition("tweets", 0)] > 0
    ended = kept.run(kept.digests())

    async def whole() -> dict[str, tuple[int, str]]:
        await kept.fleeting()
        await kept.empty()
        await kept.apply([community.records])
        return await kept.digests()

    assert kept.run(whole()) == ended
    kept.close(dropping=False)
