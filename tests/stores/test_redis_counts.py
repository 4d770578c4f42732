"""Counters on Redis equal those of the embedded profile after copies, crashes, loss of data and restores."""

import random
import uuid
from collections.abc import Awaitable, Callable, Mapping, Sequence
from pathlib import Path
from typing import Any, cast

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
    """A unique prefix of keys for each test."""
    return f"counts-{uuid.uuid4().hex[:12]}@1"


async def copied(client: Client, name: str) -> dict[bytes, bytes]:
    """Return the keys and values that a backup would have."""
    copy = {}
    for key in await keys_of(client, name):
        dumped = await client.dump(key)
        assert dumped is not None
        copy[key] = dumped
    return copy


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


async def test_counters_that_are_zero_have_no_key(client: Client, name: str) -> None:
    made = community(1, steps=0)
    first, second = made.accounts[:2]
    made.follow(first, second)
    made.unfollow(first, second)
    log = Log(made.records)
    log.open = 1
    await Worker(client, log, name).work()
    assert await reader(client, name).of_accounts([first, second]) == {}
    assert not [key for key in await keys_of(client, name) if b":a:" in key]


async def test_reading_no_counters_sends_no_request(client: Client, name: str) -> None:
    assert await reader(client, name).of_tweets([]) == {}
    assert await reader(client, name).of_accounts([]) == {}


class Dying(RedisSink):
    """A sink whose process dies in the midst of a commit: some slots are written, perhaps some positions."""

    chance = random.Random()

    async def commit(
        self, positions: Positions, newest: Mapping[tuple[str, str], str], last: Mapping[TopicPartition, str] = UNKNOWN
    ) -> None:
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


async def test_a_wiped_redis_is_detected_and_counted_again(client: Client, name: str) -> None:
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


async def test_a_redis_restored_from_a_backup_is_detected_and_catches_up(client: Client, name: str) -> None:
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


async def test_a_batch_that_began_before_a_wipe_counts_nothing_after_it(client: Client, name: str) -> None:
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


async def test_checking_an_unchanged_store_raises_nothing(client: Client, name: str) -> None:
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
async def test_a_slot_that_is_lost_or_restored_alone_is_detected(
    client: Client, name: str, lose: Callable[[Client, RedisKeys, dict[bytes, bytes]], Awaitable[None]]
) -> None:
    """As if a cluster loses one of its nodes."""
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


async def test_emptying_deletes_all_keys_of_the_read_model_and_no_others(client: Client, name: str) -> None:
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


async def test_a_killed_server_comes_back_empty_and_is_counted_again(running: Running, name: str) -> None:
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
    """A cluster of one node, which refuses commands on two hash slots. Its second port is free, too."""

    ports = ("redis", "bus")

    def servers(self, cache: Path, directory: Path, ports: Sequence[Mapping[str, int]]) -> list[EngineProcess]:
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
    ask = cast(Callable[..., Awaitable[Any]], client.execute_command)  # redis has no types here
    await ask("CLUSTER", "ADDSLOTSRANGE", 0, 16383)
    while b"cluster_state:ok" not in await ask("CLUSTER", "INFO"):
        pass
    made = community(12)
    log = Log(made.records)
    log.open = 1
    worker = Worker(client, log, name)
    await worker.work()
    assert await answers(reader(client, name), made) == await expected(made)
    keys = worker.sink.keys
    slots = {await ask("CLUSTER", "KEYSLOT", key) for key in keys.slots}
    assert len(slots) == SLOTS, "they can be on nodes of their own"
    await client.aclose()


def test_the_histories_of_these_tests_have_several_partitions() -> None:
    log = Log(community(1).records)
    assert len({place.partition for place in log.partitions if place.topic == "tweets"}) > 1
