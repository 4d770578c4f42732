"""The Kafka log's producer and reader beside the raw client: `python -m bench.kafka --servers HOST:PORT`.

Client and broker share the cores, so compare ratios. It creates topics of its own and deletes them.
"""

from __future__ import annotations

import argparse
import asyncio
import os
import time
from collections.abc import Iterable, Sequence
from statistics import quantiles

from confluent_kafka import Consumer, Producer, TopicPartition
from confluent_kafka.admin import AdminClient

from events.codec import Codec
from events.event import Envelope
from events.graph import AccountFollowed
from events.ids import AccountId, EventId, HybridClock, Millis, id_at
from events.kafka.log import KafkaLogReader
from events.kafka.producing import KafkaPublisher
from events.kafka.records import headers
from events.kafka.topics import apply
from events.log import New, Positions, positions_after
from events.partitioning import partition_of
from events.publishing import Outgoing, outgoing
from events.sealing import MasterKeys, Sealer

TOPIC = "graph"
PARTITIONS = 4
IN_FLIGHT = 64
PACE = 1_280
"""Records a second in the measurement of latency."""


class NoKeys:
    """The Keys port of a log without sealed fields."""

    def __init__(self) -> None:
        self.sealer = Sealer(MasterKeys.generate())

    async def fetch(self, subjects: object) -> None:
        """Do nothing: there are no keys."""

    async def create(self, subject: str) -> None:
        """Never called."""


def follows(number: int) -> list[Outgoing]:
    """Return events of a hundred accounts."""
    ids, codec = HybridClock(), Codec(NoKeys().sealer)
    accounts = [AccountId(id_at(Millis(1), f"account {n}")) for n in range(100)]
    made = []
    for n in range(number):
        event = AccountFollowed(follower=accounts[n % 100], followee=accounts[n % 99])
        made.append(outgoing(New(event, Envelope(EventId(ids.issue()), ids.now(), correlation="bench")), codec))
    return made


async def one_per_call(publisher: KafkaPublisher, records: Sequence[Outgoing]) -> float:
    """Return records a second, with one call for each, IN_FLIGHT calls at a time."""
    left = iter(records)

    async def caller() -> None:
        for record in left:
            await publisher.publish([record])

    began = time.perf_counter()
    await asyncio.gather(*(caller() for _ in range(IN_FLIGHT)))
    return len(records) / (time.perf_counter() - began)


async def paced(publisher: KafkaPublisher, records: Sequence[Outgoing]) -> tuple[float, float]:
    """Return the 50th and 99th percentile of a call, in ms, at PACE a second."""
    took: list[float] = []

    async def call(record: Outgoing) -> None:
        began = time.perf_counter()
        await publisher.publish([record])
        took.append((time.perf_counter() - began) * 1000)

    began = time.perf_counter()
    calls = []
    for number, record in enumerate(records):
        await asyncio.sleep(max(0.0, began + number / PACE - time.perf_counter()))
        calls.append(asyncio.ensure_future(call(record)))
    await asyncio.gather(*calls)
    cuts = quantiles(took, n=100)
    return cuts[49], cuts[98]


def raw_produce(servers: str, topic: str, records: Sequence[Outgoing]) -> float:
    """Return records a second through librdkafka alone, with headers made before."""
    producer = Producer({"bootstrap.servers": servers, "enable.idempotence": True, "linger.ms": 0})
    producer.list_topics(timeout=10)
    ready = [(r.value, r.key, partition_of(r.key, PARTITIONS), headers(r)) for r in records]
    began = time.perf_counter()
    for content, key, partition, made in ready:
        producer.produce(topic, content, key, partition, headers=[*made])
        producer.poll(0)
    producer.flush(60)
    return len(records) / (time.perf_counter() - began)


def raw_consume(servers: str, places: Iterable[tuple[str, int]], number: int) -> float:
    """Return records a second through librdkafka alone, without decoding."""
    consumer = Consumer({"bootstrap.servers": servers, "group.id": "bench", "enable.auto.commit": False})
    consumer.assign([TopicPartition(topic, partition, 0) for topic, partition in places])
    began, read = time.perf_counter(), 0
    while read < number:
        read += len(consumer.consume(5_000, 0.05))
    consumer.close()
    return number / (time.perf_counter() - began)


async def read_all(reader: KafkaLogReader) -> float:
    """Return records a second through the port: read, decoded, in batches of 5,000."""
    positions, read, began = Positions(), 0, time.perf_counter()
    while batch := await reader.read(positions, 5_000):
        positions, read = positions_after(batch, positions), read + len(batch)
    return read / (time.perf_counter() - began)


async def measure(servers: str, number: int) -> None:
    """Measure and print."""
    prefix = f"bench-{os.getpid()}-"
    admin = AdminClient({"bootstrap.servers": servers})
    await apply(admin, [TOPIC], partitions=PARTITIONS, prefix=prefix)
    topics, keys = {TOPIC: PARTITIONS}, NoKeys()
    publisher = KafkaPublisher(servers, topics, prefix=prefix, ack_s=10)
    reader = KafkaLogReader(servers, topics, Codec(keys.sealer), keys, prefix=prefix)
    records = follows(number)
    await one_per_call(publisher, follows(2_000))  # warm up both sides
    print(f"published, one a call, {IN_FLIGHT} in flight: {await one_per_call(publisher, records):,.0f}/s")
    print(f"librdkafka alone: {await asyncio.to_thread(raw_produce, servers, prefix + TOPIC, records):,.0f}/s")
    middle, slowest = await paced(publisher, records[: PACE * 3])
    print(f"published at {PACE:,}/s: p50 {middle:.1f} ms, p99 {slowest:.1f} ms")
    print(f"read and decoded: {await read_all(reader):,.0f}/s")
    places = [(prefix + TOPIC, n) for n in range(PARTITIONS)]
    print(f"librdkafka alone: {await asyncio.to_thread(raw_consume, servers, places, number):,.0f}/s")
    await publisher.close()
    await reader.close()
    for future in admin.delete_topics([prefix + TOPIC]).values():
        await asyncio.wrap_future(future)


if __name__ == "__main__":
    parser = argparse.ArgumentParser(prog="python -m bench.kafka", description=__doc__)
    parser.add_argument("--servers", required=True, help="a Kafka, HOST:PORT")
    parser.add_argument("--records", type=int, default=50_000)
    given = parser.parse_args()
    asyncio.run(measure(given.servers, given.records))
