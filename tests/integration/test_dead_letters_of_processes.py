"""Unreadable records of another producer do not affect other records, with processes on the real engines."""

import asyncio
import json
import time
import uuid
from collections.abc import Iterator
from pathlib import Path

import pytest
from confluent_kafka import Producer
from confluent_kafka.cimpl import KafkaError, Message

from events.ids import TweetId, wall_clock
from events.partitioning import partition_of
from projectors.fan_out import FanOut
from runtime.dead_letters import Choice, Mended
from runtime.distributed.dead_letters import letters_of
from runtime.distributed.models.catalogue import TOPICS
from runtime.distributed.models.generations import Generations
from runtime.distributed.settings import DistributedSettings
from stores.cassandra.session import CassandraSession
from stores.cassandra.tweets import CassandraTweets
from stores.dead_letters import DeadLetter
from stores.groups import HOME
from tests.integration.installation import PARTITIONS, SOON, Installation, installed, post, ready, register

SOURCES = {**TOPICS, HOME: FanOut.topics()}
"""The topics of each group."""

pytestmark = [pytest.mark.engines, pytest.mark.slow, pytest.mark.long]


@pytest.fixture
def installation(tmp_path: Path, kafka: str, postgres: str, cassandra: str, redis: str) -> Iterator[Installation]:
    with installed(tmp_path, kafka, postgres, cassandra, redis) as made:
        yield made


def broken(installation: Installation, key: str) -> Iterator[tuple[str, dict[str, str], bytes, int]]:
    """What a plain producer can write under somebody's key, none of which can be read: topic, headers, value, place.

    It is as much as a group bears.
    """
    now = wall_clock()
    good = {
        "ce_id": str(uuid.UUID(int=now << 80 | 7 << 76 | 1 << 63)), "ce_type": "TweetDeleted",
        "ce_time": "2026-11-30T12:00:00Z", "ce_dataschema": "/schemas/tweets/TweetDeleted.v1.json",
    }  # fmt: skip
    value = json.dumps({"tweet": key, "author": key}).encode()
    own = partition_of(key, PARTITIONS)
    edited = {"ce_type": "TweetEdited", "ce_dataschema": "/schemas/tweets/TweetEdited.v1.json"}
    edit = {"tweet": good["ce_id"], "author": key, "version": -7, "text": "", "entities": {}}
    yield "tweets", {}, b"hello", own
    yield "tweets", good | {"ce_type": "TweetVanished"}, value, own
    yield "tweets", good | {"ce_dataschema": "/schemas/tweets/TweetDeleted.v9.json"}, value, own
    yield "tweets", good, b"{", own
    yield "tweets", good, json.dumps({"tweet": "xyz", "author": key}).encode(), own
    yield "tweets", good, value, (own + 1) % PARTITIONS
    yield "tweets", good | {"ce_id": "1"}, value, own
    yield "tweets", good | edited, json.dumps(edit).encode(), own
    yield "graph", good | {"ce_type": "TweetLiked"}, value, own


def write(installation: Installation, key: str) -> list[str]:
    """Write all records; return their positions."""
    producer = Producer({"bootstrap.servers": installation.brokers})
    places = []

    def written(error: KafkaError | None, message: Message) -> None:
        assert error is None
        topic = message.topic()
        assert topic is not None
        topic = topic.removeprefix(installation.prefix)
        places.append(f"{topic}-{message.partition()}@{message.offset()}")

    for topic, headers, value, partition in broken(installation, key):
        sent: list[tuple[str, str | bytes | None]] = [(name, text.encode()) for name, text in headers.items()]
        producer.produce(installation.prefix + topic, value, key.encode(), partition, headers=sent, on_delivery=written)
    assert producer.flush(SOON) == 0
    return places


async def shown(installation: Installation, tweet: TweetId) -> None:
    """Wait until a tweet can be read."""
    address = Generations.first(DistributedSettings.of(installation.settings())).address
    session = await CassandraSession.connect(address)
    deadline = time.monotonic() + SOON
    while not await CassandraTweets(session, address.keyspace).by_ids([tweet]):
        assert time.monotonic() < deadline
        await asyncio.sleep(0.1)
    await session.close()


async def letters(installation: Installation) -> list[DeadLetter]:
    async with letters_of(installation.settings()) as desk:
        return await desk.list(Choice())


async def discarded(installation: Installation) -> Mended:
    async with letters_of(installation.settings()) as desk:
        return await desk.discard(Choice())


def topic_of(place: str) -> str:
    return place.rpartition("-")[0]


def test_records_that_cannot_be_read_are_set_aside_and_everybody_else_is_served(installation: Installation) -> None:
    with (
        installation.process("serve", "command") as (command, client),
        installation.process("work", "projectors") as (projectors, working),
        installation.process("work", "streams") as (streams, streaming),
    ):
        for process, asked in ((command, client), (projectors, working), (streams, streaming)):
            ready(process, asked)
        eve, ada = register(client, "eve"), register(client, "ada")
        key = post(client, eve, "before").json()["author"]["id"]
        places = write(installation, key)
        tweet = post(client, ada, "everybody else").json()["id"]
        asyncio.run(shown(installation, tweet))
        held_back = post(client, eve, "behind").json()["id"]
        failing = {(group, place) for group, topics in SOURCES.items() for place in places if topic_of(place) in topics}
        behind = {group for group, topics in SOURCES.items() if "tweets" in topics}
        deadline = time.monotonic() + SOON
        while len(found := asyncio.run(letters(installation))) < len(failing) + len(behind):
            assert time.monotonic() < deadline, "\n".join(map(str, found))
            time.sleep(0.2)
        assert {(letter.group, letter.position) for letter in found if letter.cause} == failing
        assert all(letter.event_id == "" for letter in found if letter.cause)
        assert {letter.group for letter in found if not letter.cause} == behind
        for asked, group in ((working, "timelines"), (streaming, "trends")):
            while f"{group} has" not in (answer := asked.get("/readyz")).text:
                assert time.monotonic() < deadline, answer.text
                time.sleep(0.2)
            assert answer.status_code == 200
        done = asyncio.run(discarded(installation))
        assert (done.discarded, done.left) == (len(failing), 0)
        asyncio.run(shown(installation, held_back))
        assert asyncio.run(letters(installation)) == []
        for process in (projectors, streams):
            assert "Task exception was never retrieved" not in process.told()
        asyncio.run(shown(installation, post(client, eve, "after").json()["id"]))
