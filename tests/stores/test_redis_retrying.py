"""A dead letter is counted once by its retry, after the position has passed it, however often it is retried."""

import uuid
from collections.abc import Sequence

import pytest

from events.first_copies import Entity
from events.log import Positions, Record, TopicPartition, positions_after
from runtime.discards import Discarded
from stores.dead_letters import DeadLettersInMemory, all_letters
from stores.redis import retrying
from stores.redis.connection import Argument, Client
from stores.redis.counts import FOLLOWERS
from stores.redis.sink import RedisKeys
from stores.sink import SinkMoved, StoreUnavailable
from tests.community import Community
from tests.stores.redis_counting import SLOTS, Log, Worker, answers, community, expected, reader, wipe

pytestmark = pytest.mark.engines


@pytest.fixture
def name() -> str:
    """A unique prefix of keys for each test."""
    return f"counts-{uuid.uuid4().hex[:12]}@1"


async def without(client: Client, name: str, made: Community, entity: Entity) -> tuple[Worker, list[Record]]:
    """Count all records except those of one entity, and store positions that pass them; return the records left out."""
    log = Log(made.records)
    log.open = 1
    worker = Worker(client, log, name)
    records = await log.read({}, 10_000)
    await worker.runner.start()
    others = [record for record in records if (record.topic, record.key) != entity]
    await worker.runner.group.apply(others, positions_after(records))
    return worker, [record for record in records if (record.topic, record.key) == entity]


def busiest(made: Community, topic: str) -> Entity:
    """Return the entity of a topic with the most events."""
    keys = [record.key for record in made.records if record.topic == topic]
    return topic, max(set(keys), key=keys.count)


@pytest.mark.parametrize("at_once", [1, 3, 1000])
@pytest.mark.parametrize("topic", ["tweets", "engagement", "graph"])
async def test_a_retried_record_is_counted_once(client: Client, name: str, topic: str, at_once: int) -> None:
    made = community(3)
    worker, left_out = await without(client, name, made, busiest(made, topic))
    assert left_out
    for start in range(0, len(left_out), at_once):
        for _ in range(2):
            await worker.runner.group.apply(left_out[start : start + at_once], Positions())
    assert await answers(reader(client, name), made) == await expected(made)
    another = Worker(client, worker.runner.log, name)  # type: ignore[arg-type]  # it is a Log
    await another.work()
    assert await answers(reader(client, name), made) == await expected(made)


async def test_an_interrupted_retry_is_repeated(client: Client, name: str, monkeypatch: pytest.MonkeyPatch) -> None:
    """The process died in between: the slots have counted the record, and the partition has no note of it."""
    made = community(3)
    worker, left_out = await without(client, name, made, busiest(made, "engagement"))
    run = retrying.RENEW.run
    for record in left_out:

        async def broken(client: Client, calls: Sequence[tuple[Sequence[str], Sequence[Argument]]]) -> None:
            raise StoreUnavailable("gone")

        monkeypatch.setattr(retrying.RENEW, "run", broken)
        with pytest.raises(StoreUnavailable):
            await worker.runner.group.apply([record], Positions())
        monkeypatch.setattr(retrying.RENEW, "run", run)
        fresh = Worker(client, worker.runner.log, name)  # type: ignore[arg-type]  # it is a Log
        await fresh.runner.start()
        await fresh.runner.group.apply([record], Positions())
    assert await answers(reader(client, name), made) == await expected(made)


async def test_a_record_that_the_position_has_not_passed_is_not_retried(client: Client, name: str) -> None:
    """The record is still to be delivered, as after Redis was wiped. A retry would count it twice."""
    made = community(3)
    worker, left_out = await without(client, name, made, busiest(made, "engagement"))
    await wipe(client, name)
    await worker.runner.start()
    with pytest.raises(SinkMoved):
        await worker.runner.group.apply([left_out[0]], Positions())
    await worker.work()
    assert await answers(reader(client, name), made) == await expected(made)


@pytest.mark.parametrize("damaged", ["counters", "ranking"])
async def test_a_counter_that_refuses_delays_no_others_and_is_counted_once_after_its_repair(
    client: Client, name: str, damaged: str
) -> None:
    """A key has another type. Its slot stores all of the batch or nothing; other slots have stored it already."""
    made = community(3, 60)
    keys = RedisKeys(name, SLOTS)
    account = made.accounts[0]
    slot, key = keys.of("a", account)
    # Counted in two slots, of which one refuses.
    follower = next(one for one in made.accounts if keys.of("a", one)[0] != slot and (one, account) not in made.follows)
    made.follow(follower, account)
    log = Log(made.records)
    log.open = 1
    worker = Worker(client, log, name, limit=40)
    letters = DeadLettersInMemory()
    worker.runner.group.set_aside(letters, Discarded())
    if damaged == "ranking":
        key = keys.ranking(slot, FOLLOWERS)
    await worker.runner.start()  # makes the epoch
    await client.set(key, "no hash")
    await worker.work()
    counted = await letters.counts()
    assert counted.failed
    await client.delete(key)
    chosen = await all_letters(letters)
    assert ("AccountFollowed", follower) in {(letter.type, letter.key) for letter in chosen}

    async def at(place: TopicPartition, offset: int) -> Record:
        return log.partitions[place][offset]

    retried = await worker.runner.group.retry(chosen, at)
    assert (retried.applied, retried.left) == (counted.all, 0)
    assert await answers(reader(client, name), made) == await expected(made)
    another = Worker(client, log, name)
    await another.work()
    assert await answers(reader(client, name), made) == await expected(made)
