"""Topics of a test's own on a real Kafka, and what is in them as any other client sees it."""

import asyncio
import os
import subprocess
import sys
import time
from collections.abc import Iterable, Mapping
from uuid import uuid4

from confluent_kafka import Consumer, KafkaError, KafkaException, Message, TopicPartition
from confluent_kafka.admin import AdminClient

from events.event import Envelope
from events.graph import AccountFollowed
from events.ids import AccountId, EventId, HybridClock, Millis, id_at
from events.publishing import Outgoing

PATIENCE_S = 20
"""For what takes no time on a broker that is awake; a test machine may be busy."""


def own_prefix() -> str:
    """What no other test's topics begin with."""
    return f"test-{uuid4().hex[:12]}-"


def admin_of(servers: str) -> AdminClient:
    return AdminClient({"bootstrap.servers": servers, "log_level": 0})


async def delete_topics(servers: str, names: Iterable[str]) -> None:
    admin = admin_of(servers)  # kept until it has answered
    deleted = admin.delete_topics(list(names))
    await asyncio.gather(*(asyncio.wrap_future(future) for future in deleted.values()))


def raw(servers: str, topics: Mapping[str, int]) -> list[Message]:
    """The messages of topics, each partition's in order; `topics` with their partitions."""
    consumer = Consumer({"bootstrap.servers": servers, "group.id": "raw", "auto.offset.reset": "earliest"})
    places = [TopicPartition(name, n) for name, partitions in topics.items() for n in range(partitions)]
    ends = [_end(consumer, place) for place in places]
    consumer.assign([TopicPartition(place.topic, place.partition, 0) for place in places])
    found: list[Message] = []
    while len(found) < sum(ends):
        [message] = consumer.consume(1, PATIENCE_S)
        assert message.error() is None, message.error()
        found.append(message)
    consumer.close()
    return found


def headers_of(message: Message) -> dict[str, bytes]:
    """Return the headers of a message that have a value."""
    found = message.headers() or []
    pairs = found.items() if isinstance(found, dict) else found
    return {name: value for name, value in pairs if isinstance(value, bytes)}


def offset_of(message: Message) -> int:
    """Return the offset of a message that was consumed."""
    offset = message.offset()
    assert offset is not None
    return offset


def topic_of(message: Message, prefix: str) -> str:
    """Return the topic of a message, without the prefix of the test."""
    topic = message.topic()
    assert topic is not None
    return topic.removeprefix(prefix)


def place_of(message: Message, prefix: str) -> str:
    """Return the position after a message, as `tweets-0:42`."""
    return f"{topic_of(message, prefix)}-{message.partition()}:{offset_of(message) + 1}"


_NAMELESS = """
import asyncio, sys
from aiokafka import AIOKafkaProducer

class Name(str):
    def encode(self, *_):
        return bytes((255, 254))

async def main(servers, topic, partition, value, number):
    async with AIOKafkaProducer(bootstrap_servers=servers) as producer:
        for _ in range(int(number)):
            await producer.send(topic, value.encode(), b"k", int(partition), headers=[(Name("x"), b"1")])

asyncio.run(main(*sys.argv[1:]))
"""


def send_nameless_header(servers: str, topic: str, partition: int, value: str, number: int = 1) -> None:
    """Send records with a header whose name is no UTF-8, as clients in other languages can."""
    environment = os.environ | {"AIOKAFKA_NO_EXTENSIONS": "1"}  # its encoder in C takes nothing but a str
    sent = [sys.executable, "-c", _NAMELESS, servers, topic, str(partition), value, str(number)]
    subprocess.run(sent, env=environment, check=True, timeout=60)


def _end(consumer: Consumer, place: TopicPartition) -> int:
    """Where a partition ends; a topic that was just made may have no leader yet."""
    deadline = time.monotonic() + PATIENCE_S
    while True:
        try:
            return consumer.get_watermark_offsets(place, timeout=PATIENCE_S)[1]
        except KafkaException as error:
            if error.args[0].code() != KafkaError.NOT_LEADER_FOR_PARTITION or time.monotonic() > deadline:
                raise
            time.sleep(0.05)


def account(number: int) -> AccountId:
    return AccountId(id_at(Millis(1), f"account {number}"))


def follow(ids: HybridClock, follower: AccountId, followee: AccountId | None = None) -> Outgoing:
    """An event to publish, one of its follower's graph."""
    id_ = EventId(ids.issue())
    value = b'{"follower":"%s","followee":"%s"}' % (follower.encode(), (followee or account(0)).encode())
    return Outgoing("graph", follower, AccountFollowed.__name__, 1, value, Envelope(id_, ids.now()))
