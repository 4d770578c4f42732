"""Counters on Redis with several workers: they do not disturb each other, and a digest is always consistent."""

import asyncio
import contextlib
import random
import uuid
from collections.abc import Awaitable, Callable
from typing import Any

import pytest

from events.log import Positions
from stores.redis import batch_scripts
from stores.redis import sink as sinks
from stores.redis.connection import Client
from stores.redis.sink import RedisKeys, held
from stores.sink import SinkMoved, StoreUnavailable
from tests.stores.redis_counting import Log, Worker, answers, community, expected, reader, wipe

pytestmark = pytest.mark.engines


@pytest.fixture
def name() -> str:
    """A unique prefix of keys for each test."""
    return f"counts-{uuid.uuid4().hex[:12]}@1"


async def test_a_worker_that_was_thought_dead_changes_nothing_that_another_has_counted(
    client: Client, name: str
) -> None:
    made = community(4)
    log = Log(made.records)
    log.open = 1
    old, new = Worker(client, log, name, limit=10), Worker(client, log, name, limit=17)
    await old.runner.start()
    await old.runner.turn()
    await new.runner.start()
    await new.runner.turn()
    with pytest.raises(SinkMoved):
        await old.runner.turn()
    await new.runner.catch_up()
    assert await answers(reader(client, name), made) == await expected(made)


async def test_workers_that_share_the_partitions_do_not_disturb_each_other(client: Client, name: str) -> None:
    made = community(13)
    log, one, two = Log(made.records), Log([]), Log([])
    for number, (place, records) in enumerate(log.partitions.items()):
        (one, two)[number % 2].partitions[place] = records
    workers = [Worker(client, part, name) for part in (one, two)]
    for part in (log, one, two):
        part.open = 1
    for worker in workers:
        worker.sink._ends = log.ends_of_counts
        await worker.runner.start()
    while any([await worker.runner.turn() for worker in workers]):
        for worker in workers:
            await worker.sink.check()
    assert await answers(reader(client, name), made) == await expected(made)
    assert (await reader(client, name).positions())[1] is False


class CommittingBetween:
    """A client. After each of its requests another client commits a batch."""

    def __init__(self, client: Client, commit: Callable[[], Awaitable[object]]) -> None:
        self._client = client
        self._commit = commit

    async def hgetall(self, key: str) -> Any:
        answer = await self._client.hgetall(key)
        await self._commit()
        return answer

    def pipeline(self, transaction: bool) -> Any:
        pipeline = self._client.pipeline(transaction=transaction)
        execute = pipeline.execute

        async def execute_and_commit(raise_on_error: bool = True) -> list[Any]:
            answer = await execute(raise_on_error)
            await self._commit()
            return answer

        pipeline.execute = execute_and_commit  # type: ignore[method-assign]  # it commits in addition
        return pipeline


async def test_a_digest_is_consistent_while_batches_are_committed(client: Client, name: str) -> None:
    log = Log(community(13).records)
    log.open = 1
    worker = Worker(client, log, name, limit=1)
    await worker.runner.start()
    looking: Any = CommittingBetween(client, worker.runner.turn)
    while await worker.runner.turn():
        before = Positions(worker.runner.positions)
        epoch, positions, _ = await held(looking, worker.sink.keys)
        assert epoch
        assert positions.covers(before)


async def test_a_read_model_that_was_emptied_meanwhile_is_not_emptied_again(
    client: Client, name: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    log = Log(community(9).records)
    first, second = Worker(client, log, name), Worker(client, log, name)
    await first.runner.start()
    await wipe(client, name)

    async def look_and_be_late(client: Client, keys: RedisKeys) -> tuple[str, Positions, Positions]:
        monkeypatch.setattr(sinks, "held", held)
        found = await held(client, keys)
        await first.runner.start()
        return found

    monkeypatch.setattr(sinks, "held", look_and_be_late)
    await second.runner.start()
    await first.sink.check()


class Emptying:
    """A client that scans one key at a time in a random order, and runs another client's step at one of them."""

    def __init__(self, client: Client, chance: random.Random, meanwhile: Callable[[], Awaitable[None]]) -> None:
        self._client = client
        self._chance = chance
        self._meanwhile = meanwhile
        self._left: list[bytes] = []

    def __getattr__(self, name: str) -> Any:
        return getattr(self._client, name)

    async def scan(self, cursor: int, match: str, count: int) -> tuple[int, list[bytes]]:
        if cursor == 0:
            self._left = [key async for key in self._client.scan_iter(match=match)]
            self._chance.shuffle(self._left)
            self._at = self._chance.randrange(len(self._left) + 1)
        if len(self._left) == self._at:
            await self._meanwhile()
        found, self._left = self._left[-1:], self._left[:-1]
        return len(self._left), found


@pytest.mark.parametrize("seed", range(40))
async def test_a_batch_that_is_committed_during_emptying_leaves_nothing(
    client: Client, name: str, monkeypatch: pytest.MonkeyPatch, seed: int
) -> None:
    """A batch that began earlier commits during it, or was in the slots already and its positions are stored then."""
    chance = random.Random(seed)
    made = community(seed)
    log = Log(made.records)
    log.open = chance.random()
    other = Worker(client, log, name, limit=chance.choice((5, 50)))
    await other.work()
    log.open = 1
    emptied, noted = asyncio.Event(), asyncio.Event()

    class Late:
        """Run the last step of a batch late."""

        async def run(self, *call: Any) -> Any:
            noted.set()
            await emptied.wait()
            return await note.run(*call)

    note = batch_scripts.NOTE
    late = None
    if seed % 2:
        monkeypatch.setattr(sinks, "NOTE", Late())
        late = asyncio.create_task(other.runner.turn())
        await asyncio.wait((late, asyncio.create_task(noted.wait())), return_when=asyncio.FIRST_COMPLETED)
        monkeypatch.setattr(sinks, "NOTE", note)
    # A node of a cluster lost what it had.
    await client.delete(other.sink.keys.state)

    async def meanwhile() -> None:
        emptied.set()
        with contextlib.suppress(SinkMoved):
            await (late or other.runner.turn())

    worker = Worker(Emptying(client, chance, meanwhile), log, name)  # type: ignore[arg-type]
    await worker.runner.start()
    while True:
        with contextlib.suppress(SinkMoved):
            await worker.work()
            break
    assert await answers(reader(client, name), made) == await expected(made)


async def test_one_worker_empties_a_damaged_read_model_and_the_others_wait(client: Client, name: str) -> None:
    log = Log(community(9).records)
    worker = Worker(client, log, name)
    await client.set(worker.sink.keys.emptying, 1)
    with pytest.raises(StoreUnavailable, match="is being emptied by another process"):
        await worker.runner.start()
    await client.delete(worker.sink.keys.emptying)
    await worker.runner.start()
