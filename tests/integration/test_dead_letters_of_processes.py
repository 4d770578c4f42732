"""What somebody else wrote into the log costs no other record anything: shown by processes on the real engines."""

import asyncio
import json
import time
import uuid

import pytest
from confluent_kafka import Producer
from installation import PARTITIONS, SOON, installed, post, ready, register

from events.ids import wall_clock
from events.partitioning import partition_of
from runtime.dead_letters import Choice
from runtime.distributed.dead_letters import letters_of
from runtime.distributed.places import Places
from stores.cassandra.session import CassandraSession
from stores.cassandra.tweets import CassandraTweets

pytestmark = [pytest.mark.engines, pytest.mark.slow, pytest.mark.long]


@pytest.fixture
def installation(tmp_path, kafka, postgres, cassandra, redis):
    with installed(tmp_path, kafka, postgres, cassandra, redis) as made:
        yield made


def broken(installation, key):
    """What a plain producer can write into `tweets` under somebody's key, none of which can be read."""
    now = wall_clock()
    good = {
        "ce_id": str(uuid.UUID(int=now << 80 | 7 << 76 | 1 << 63)), "ce_type": "TweetDeleted",
        "ce_time": "2026-11-30T12:00:00Z", "ce_dataschema": "/schemas/tweets/TweetDeleted.v1.json",
    }  # fmt: skip
    value = json.dumps({"tweet": key, "author": key}).encode()
    own = partition_of(key, PARTITIONS)
    yield {}, b"hello", own
    yield good | {"ce_type": "TweetVanished"}, value, own
    yield good | {"ce_dataschema": "/schemas/tweets/TweetDeleted.v9.json"}, value, own
    yield good, b"{", own
    yield good, json.dumps({"tweet": "xyz", "author": key}).encode(), own
    yield good, value, (own + 1) % PARTITIONS
    yield good | {"ce_type": "TweetLiked"}, value, own


def write(installation, key):
    """Write all of it; how much that was."""
    producer = Producer({"bootstrap.servers": installation.brokers})
    written = list(broken(installation, key))
    for headers, value, partition in written:
        sent = [(name, text.encode()) for name, text in headers.items()]
        producer.produce(f"{installation.prefix}tweets", value, key.encode(), partition, headers=sent)
    assert producer.flush(SOON) == 0
    return len(written)


async def shown(installation, tweet):
    """Wait until a tweet can be read."""
    address = Places.first(installation.settings()).address
    session = await CassandraSession.connect(address)
    deadline = time.monotonic() + SOON
    while not await CassandraTweets(session, address.keyspace).by_ids([tweet]):
        assert time.monotonic() < deadline
        await asyncio.sleep(0.1)
    await session.close()


async def letters(installation):
    async with letters_of(installation.settings()) as desk:
        return await desk.list(Choice(group="timelines"))


async def discarded(installation):
    async with letters_of(installation.settings()) as desk:
        return await desk.discard(Choice(group="timelines"))


def test_records_that_cannot_be_read_are_set_aside_and_everybody_else_is_served(installation):
    with (
        installation.process("serve", "command") as (command, client),
        installation.process("work", "projectors") as (worker, working),
    ):
        ready(command, client)
        ready(worker, working)
        eve, ada = register(client, "eve"), register(client, "ada")
        key = post(client, eve, "before").json()["author"]["id"]
        number = write(installation, key)
        tweet = post(client, ada, "everybody else").json()["id"]
        asyncio.run(shown(installation, tweet))
        held_back = post(client, eve, "behind").json()["id"]
        deadline = time.monotonic() + SOON
        while len(found := asyncio.run(letters(installation))) < number + 1:
            assert time.monotonic() < deadline, "\n".join(map(str, found))
            time.sleep(0.2)
        assert all(letter.cause for letter in found if letter.event_id == "")
        assert {letter.place.topic for letter in found} == {"tweets"}
        while "timelines has" not in (answer := working.get("/readyz")).text:
            assert time.monotonic() < deadline, answer.text
            time.sleep(0.2)
        assert answer.status_code == 200
        done = asyncio.run(discarded(installation))
        assert (done.discarded, done.left) == (number, 0)
        asyncio.run(shown(installation, held_back))
        assert asyncio.run(letters(installation)) == []
        assert "Task exception was never retrieved" not in worker.told()
        asyncio.run(shown(installation, post(client, eve, "after").json()["id"]))
