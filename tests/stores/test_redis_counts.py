"""Counters on the real Redis: what the embedded profile counts, whatever comes twice, dies, is wiped or restored."""

import random
import uuid
from collections.abc import Awaitable, Callable
from pathlib import Path

import pytest

from events.log import Positions, TopicPartition
from infra.local.engine import EngineProcess
from infra.local.redis import Redis as RedisEngine
from infra.local.running import Running
from stores.redis.batch_scripts import COMMIT, NOTE
from stores.redis.connection import Client, connect
from stores.redis.sink import RedisKeys, RedisSink
from stores.sink import UNKNOWN, SinkMoved, StoreUnavailable
from tests.histories import interleaved, redelivered
from tests.stores.redis_counting import SLOTS, Log, Worker, answers, community, expected, keys_of, reader, wipe

pytestmark = pytest.mark.engines


@pytest.fixture
def name() -> str:
    """A read model of a test's own."""
    return f"counts-{uuid.uuid4().hex[:12]}@1"


async def copied(client: Client, name: str) -> dict[bytes, bytes]:
    """What a backup would have of it."""
    return {key: await client.dump(key) for key in await keys_of(client, name)}


async def restore(client: Client, name: str, copy: dict[bytes, bytes]) -> None:
    await wipe(client, name)
    for key, dumped in copy.items():
        await client.restore(key, 0, dumped)


@pytest.mark.parametrize("seed", range(6))
async def test_counters_are_what_the_embedded_profile_counts(client: Client, name: str, seed: int) -> None:
    chance = random.Random(seed)
    made = community(seed)
    log = Log(redelivered(interleaved(made.records, chance), chance))
    log.open = 1
    await Worker(client, log, name, limit=chance.choice((1, 5, 100))).work()
    assert await answers(reader(client, name), made) == await expected(made)


async def test_what_was_never_counted_or_came_back_to_zero_takes_no_key(client: Client, name: str) -> None:
    made = community(1, steps=0)
    first, second = made.accounts[:2]
    made.follow(first, second)
    made.unfollow(first, second)
    log = Log(made.records)
    log.open = 1
    await Worker(client, log, name).work()
    assert await reader(client, name).of_accounts([first, second]) == {}
    assert not [key for key in await keys_of(client, name) if b":a:" in key]


async def test_asking_for_nothing_asks_nothing(client: Client, name: str) -> None:
    assert await reader(client, name).of_tweets([]) == {}
    assert await reader(client, name).of_accounts([]) == {}


class Dying(RedisSink):
    """A sink whose process dies in the midst of a commit: some slots are written, perhaps some positions."""

    chance = random.Random()

    async def commit(
        self, positions: Positions, newest: dict[tuple[str, str], str], last: dict[TopicPartition, str] = UNKNOWN
    ) -> None:  # type: ignore[no-untyped-def]
        if self.chance.random() < 0.5:
            return await super().commit(positions, newest, last)
        moved = {p: (self._at.get(p, 0), to) for p, to in positions.items() if to != self._at.get(p, 0)}
        await self._client.hset(self.keys.state, mapping={f"at:{place}": 1 for place in moved})
        commits = [self._commit_of(slot, moved) for slot in range(SLOTS)]
        noting = self._notes(moved, newest, last)
        done = self.chance.randrange(len(commits) + len(noting) + 1)
        await COMMIT.run(self._client, commits[:done])
        await NOTE.run(self._client, noting[: max(0, done - len(commits))])
        raise Died


class Died(BaseException):
    pass


@pytest.mark.parametrize("seed", range(8))
async def test_a_process_that_dies_anywhere_in_a_batch_counts_nothing_twice(
    client: Client, name: str, seed: int
) -> None:
    chance = random.Random(seed)
    made = community(seed)
    log = Log(redelivered(interleaved(made.records, chance), chance))
    log.open = 1
    deaths = 0
    while True:
        worker = Worker(client, log, name, limit=chance.randint(1, 12))
        worker.sink.__class__ = Dying
        Dying.chance = chance
        try:
            await worker.work()
            break
        except Died:
            deaths += 1
    assert deaths
    assert await answers(reader(client, name), made) == await expected(made)


async def test_a_batch_whose_answer_was_lost_can_be_committed_again(client: Client, name: str) -> None:
    made = community(3)
    log = Log(made.records)
    log.open = 1
    worker = Worker(client, log, name)
    await worker.runner.start()
    before = worker.sink._at
    await worker.runner.turn()
    worker.sink._at, worker.runner.positions = before, before.merged({})
    await worker.runner.catch_up()
    assert await answers(reader(client, name), made) == await expected(made)


async def test_a_wiped_redis_is_noticed_and_counted_anew(client: Client, name: str) -> None:
    made = community(5)
    log = Log(made.records)
    log.open = 0.7
    worker, read = Worker(client, log, name), reader(client, name)
    await worker.work()
    assert (await read.positions())[1] is False
    await wipe(client, name)
    assert (await read.positions())[1] is True
    log.open = 1
    with pytest.raises(SinkMoved):
        await worker.runner.turn()
    assert await answers(read, made) == ({}, {}), "nothing is counted over a hole"
    await worker.runner.start()
    await worker.runner.turn()
    assert (await read.positions())[1] is True
    await worker.runner.catch_up()
    assert await read.positions() == (await log.ends_of_counts() | worker.runner.positions, False)
    assert await answers(read, made) == await expected(made)


async def test_one_restored_from_the_past_is_noticed_and_catches_up(client: Client, name: str) -> None:
    made = community(6)
    log = Log(made.records)
    log.open = 0.3
    worker, read = Worker(client, log, name), reader(client, name)
    await worker.work()
    backup = await copied(client, name)
    log.open = 0.8
    await worker.runner.catch_up()
    assert (await read.positions())[1] is False
    await restore(client, name, backup)
    assert (await read.positions())[1] is True, "it is further back than was seen"
    with pytest.raises(SinkMoved):
        await worker.sink.check()
    log.open = 1
    with pytest.raises(SinkMoved):
        await worker.runner.turn()
    await worker.runner.start()
    assert worker.runner.positions, "it goes on from the backup, not from nothing"
    assert (await reader(client, name).positions())[1] is True, "who has seen nothing before knows it, too"
    await worker.runner.catch_up()
    assert (await read.positions())[1] is False
    assert await answers(read, made) == await expected(made)


async def test_one_who_began_before_it_was_wiped_counts_nothing_after(client: Client, name: str) -> None:
    log = Log(community(6).records)
    log.open = 1
    old, new = Worker(client, log, name), Worker(client, log, name)
    await old.runner.start()
    await wipe(client, name)
    with pytest.raises(SinkMoved):
        await old.runner.turn()
    await new.runner.start()
    with pytest.raises(SinkMoved):
        await old.runner.turn()
    assert await reader(client, name).of_accounts(community(6).accounts) == {}


async def test_in_quiet_times_a_sink_that_is_as_it_was_left_says_nothing(client: Client, name: str) -> None:
    log = Log(community(7).records)
    log.open = 1
    worker = Worker(client, log, name)
    await worker.work()
    await worker.sink.check()
    await wipe(client, name)
    with pytest.raises(SinkMoved):
        await worker.sink.check()


async def lose_a_slot(client: Client, keys: RedisKeys, backup: dict[bytes, bytes]) -> None:
    await client.delete(*[key for key in await keys_of(client, keys.name) if f"{keys.name}.1}}".encode() in key])


async def restore_a_slot(client: Client, keys: RedisKeys, backup: dict[bytes, bytes]) -> None:
    await lose_a_slot(client, keys, backup)
    for key, dumped in backup.items():
        if f"{keys.name}.1}}".encode() in key:
            await client.restore(key, 0, dumped)


async def lose_a_partition(client: Client, keys: RedisKeys, backup: dict[bytes, bytes]) -> None:
    await client.delete(*[key for key in await keys_of(client, keys.name) if b".tweets-" in key])


async def lose_the_state(client: Client, keys: RedisKeys, backup: dict[bytes, bytes]) -> None:
    await client.delete(keys.state)


@pytest.mark.parametrize("lose", [lose_a_slot, restore_a_slot, lose_a_partition, lose_the_state])
async def test_a_part_that_is_lost_or_restored_alone_is_noticed(
    client: Client, name: str, lose: Callable[[Client, RedisKeys, dict[bytes, bytes]], Awaitable[None]]
) -> None:
    """As a cluster loses one of its nodes."""
    made = community(8)
    log = Log(made.records)
    log.open = 0.4
    worker = Worker(client, log, name)
    await worker.work()
    backup = await copied(client, name)
    log.open = 0.8
    await worker.runner.catch_up()
    await lose(client, worker.sink.keys, backup)
    with pytest.raises(SinkMoved):
        await worker.sink.check()
    log.open = 1
    await Worker(client, log, name).work()
    assert await answers(reader(client, name), made) == await expected(made)


async def test_emptying_takes_all_of_it_and_nothing_else(client: Client, name: str) -> None:
    log = Log(community(10).records)
    log.open = 1
    worker, other = Worker(client, log, name), Worker(client, log, f"{name}0")
    await worker.work()
    await other.work()
    kept = await copied(client, other.sink.keys.name)
    await client.delete(worker.sink.keys.state)
    await worker.runner.start()
    fresh = {worker.sink.keys.state, *worker.sink.keys.slots}
    assert {key.decode() for key in await keys_of(client, name)} == fresh
    assert await copied(client, other.sink.keys.name) == kept


async def test_a_server_that_is_killed_comes_back_empty_and_is_counted_anew(running: Running, name: str) -> None:
    client = connect(running.up(RedisEngine()).url)
    made = community(11)
    log = Log(made.records)
    log.open = 0.5
    worker, read = Worker(client, log, name), reader(client, name)
    await worker.work()
    running.kill("redis")
    log.open = 1
    with pytest.raises(StoreUnavailable):
        await worker.runner.turn()
    with pytest.raises(StoreUnavailable):
        await read.of_tweets(list(made.tweets))
    with pytest.raises(StoreUnavailable):
        await read.positions()
    running.up(RedisEngine())
    with pytest.raises(SinkMoved):
        await worker.runner.turn()
    await worker.work()
    assert await answers(read, made) == await expected(made)
    await client.aclose()


class ClusterEngine(RedisEngine):
    """A cluster of one: it refuses whatever touches two hash slots. Its second port is one that is free, too."""

    ports = ("redis", "bus")

    def servers(self, cache: Path, directory: Path, ports: list[dict[str, int]]) -> list[EngineProcess]:  # type: ignore[no-untyped-def]
        (own,) = super().servers(cache, directory, ports)
        return [
            EngineProcess(
                own.name,
                [*own.argv, "--cluster-enabled", "yes", "--cluster-port", str(ports[0]["bus"])],
                own.directory,
                own.ready,
            )
        ]


async def test_the_keys_of_a_script_share_a_hash_slot(running: Running, name: str) -> None:
    client = connect(running.up(ClusterEngine()).url)
    await client.execute_command("CLUSTER", "ADDSLOTSRANGE", 0, 16383)
    while b"cluster_state:ok" not in await client.execute_command("CLUSTER", "INFO"):
        pass
    made = community(12)
    log = Log(made.records)
    log.open = 1
    worker = Worker(client, log, name)
    await worker.work()
    assert await answers(reader(client, name), made) == await expected(made)
    keys = worker.sink.keys
    slots = {await client.execute_command("CLUSTER", "KEYSLOT", key) for key in keys.slots}
    assert len(slots) == SLOTS, "they can be on nodes of their own"
    await client.aclose()


def test_what_is_counted_here_comes_from_several_partitions() -> None:
    log = Log(community(1).records)
    assert len({place.partition for place in log.partitions if place.topic == "tweets"}) > 1
