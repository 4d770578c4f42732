"""The topic `keys` on Kafka: replaced records are compacted away, and a record that is no key is skipped."""

import asyncio
import time
from collections.abc import AsyncIterator

import pytest
from confluent_kafka import Consumer, KafkaError, Producer
from confluent_kafka import TopicPartition as Place
from confluent_kafka.admin._config import AlterConfigOpType, ConfigEntry, ConfigResource
from confluent_kafka.admin._resource import ResourceType

from events.ids import AccountId, HybridClock, Millis, id_at
from events.kafka.keys import KafkaKeptTopic
from events.kafka.producing import KafkaPublisher
from events.kafka.topics import apply
from events.kept import KeptKey, KeptPassword, Tick
from events.log import LogUnavailable, Positions, TopicPartition
from events.topics import KEYS
from tests.on_kafka import PATIENCE_S, admin_of, delete_topics, own_prefix

pytestmark = pytest.mark.engines

ADA, BOB, EVE = (AccountId(id_at(Millis(1), name)) for name in ("ada", "bob", "eve"))
COMPACTED_S = 90
"""Kafka looks for what to compact every 15 seconds."""


@pytest.fixture
async def prefix(kafka: str) -> AsyncIterator[str]:
    name = own_prefix()
    await apply(admin_of(kafka), [KEYS.name], partitions=2, prefix=name)
    yield name
    await delete_topics(kafka, [name + KEYS.name])


@pytest.fixture
async def topic(kafka: str, prefix: str) -> AsyncIterator[KafkaKeptTopic]:
    publisher = KafkaPublisher(kafka, {KEYS.name: 2}, prefix=prefix, ack_s=PATIENCE_S)
    yield KafkaKeptTopic(kafka, 2, publisher, HybridClock(), prefix=prefix)
    await publisher.close()


async def all_since(
    topic: KafkaKeptTopic, positions: dict[TopicPartition, int] | Positions
) -> tuple[list[KeptKey | KeptPassword | Tick], Positions]:
    kept: list[KeptKey | KeptPassword | Tick] = []
    reached = Positions(positions)
    async for batch in topic.since(positions):
        kept += batch.kept
        reached = reached.merged(batch.positions)
    return kept, reached


def key(subject: str, wrapped: bytes | None = b"wrapped") -> KeptKey:
    return KeptKey(subject, "master", wrapped)


async def test_published_keys_are_read_from_any_position_to_the_end(topic: KafkaKeptTopic) -> None:
    assert (await topic.ends(), await all_since(topic, {})) == ({}, ([], {}))
    first: list[KeptKey | KeptPassword | Tick] = [key(ADA), key(BOB), KeptPassword(ADA, Millis(1), "sealed")]
    positions = await topic.publish(first)
    kept, reached = await all_since(topic, {})
    assert sorted(kept, key=repr) == sorted(first, key=repr)
    assert positions == reached == await topic.ends()
    await topic.publish([key(EVE, None)])
    assert (await all_since(topic, reached))[0] == [key(EVE, None)]
    ends = await topic.ends()
    await topic.tick()
    assert await topic.ends() == {TopicPartition("keys", n): ends.get(TopicPartition("keys", n), 0) + 1 for n in (0, 1)}
    assert await all_since(topic, await topic.ends()) == ([], await topic.ends())


async def test_a_record_that_is_no_key_of_ours_is_skipped_and_named(
    kafka: str, topic: KafkaKeptTopic, prefix: str, caplog: pytest.LogCaptureFixture
) -> None:
    others = Producer({"bootstrap.servers": kafka})
    nested = b'{"a":' + b"[" * 100_000
    for name, value in ((ADA, b"{broken"), (BOB, b'{"type":"key"}'), (BOB, nested), (EVE, None)):
        others.produce(prefix + KEYS.name, value, name)
    others.produce(prefix + KEYS.name, b'{"type":"key","subject":"%s","master":"m","wrapped":null}' % EVE.encode(), ADA)
    assert others.flush(PATIENCE_S) == 0
    await topic.publish([key(ADA)])
    assert (await all_since(topic, {}))[0] == [key(ADA)]
    assert caplog.text.count("is skipped") == 5
    assert f"{prefix}keys-" in caplog.text


@pytest.mark.slow
async def test_a_destroyed_key_is_compacted_away_and_its_destruction_stays_known(
    kafka: str, topic: KafkaKeptTopic, prefix: str
) -> None:
    """With the waits shortened: a day for compaction, an hour for a segment."""
    hurry = {"segment.ms": "200", "max.compaction.lag.ms": "200"}
    resource = ConfigResource(
        ResourceType.TOPIC,
        prefix + KEYS.name,
        incremental_configs=[
            ConfigEntry(name, value, incremental_operation=AlterConfigOpType.SET) for name, value in hurry.items()
        ],
    )
    admin = admin_of(kafka)  # kept until it has answered
    await asyncio.gather(*map(asyncio.wrap_future, admin.incremental_alter_configs([resource]).values()))
    await topic.publish([key(ADA, b"to be forgotten"), key(BOB)])
    await topic.publish([key(ADA, None)])
    deadline = time.monotonic() + COMPACTED_S
    while True:
        await asyncio.sleep(0.5)
        await topic.tick()  # a next segment
        there = await asyncio.to_thread(raw_values, kafka, prefix)
        if not any(b"dG8gYmUgZm9yZ290dGVu" in value for value in there):  # "to be forgotten"
            break
        assert time.monotonic() < deadline
    kept, reached = await all_since(topic, {})
    newest = {one.key: one for one in kept if not isinstance(one, Tick)}
    assert (newest[ADA], newest[BOB]) == (key(ADA, None), key(BOB))
    assert reached == await topic.ends()


def raw_values(kafka: str, prefix: str) -> list[bytes]:
    """The values that stand there, whoever wrote them."""
    consumer = Consumer(
        {
            "bootstrap.servers": kafka,
            "group.id": "raw",
            "auto.offset.reset": "earliest",
            "enable.partition.eof": True,
        }
    )
    consumer.assign([Place(prefix + KEYS.name, n, 0) for n in range(2)])
    values: list[bytes] = []
    ended: set[int | None] = set()
    while len(ended) < 2:
        [message] = consumer.consume(1, PATIENCE_S)
        if (error := message.error()) is None:
            value = message.value()
            assert value is not None
            values.append(value)
        else:
            assert error.code() == KafkaError._PARTITION_EOF
            ended.add(message.partition())
    consumer.close()
    return values


async def test_an_unavailable_kafka_is_reported(topic: KafkaKeptTopic) -> None:
    nobody = KafkaKeptTopic("127.0.0.1:1", 2, topic._publisher, HybridClock())
    nobody._reply_s = 0.3
    with pytest.raises(LogUnavailable):
        await nobody.ends()
    with pytest.raises(LogUnavailable):
        await all_since(nobody, {TopicPartition("keys", 0): 3})
