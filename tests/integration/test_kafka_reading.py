"""Reading a real Kafka: fair to partitions, over gaps, beside other readers, and when Kafka is unavailable."""

import asyncio
import time
from collections.abc import AsyncIterator, Callable, Iterable

import msgspec
import pytest
from confluent_kafka import Producer
from confluent_kafka.admin import AdminClient
from confluent_kafka.admin._config import AlterConfigOpType, ConfigEntry, ConfigResource
from confluent_kafka.admin._resource import ResourceType
from confluent_kafka.cimpl import NewPartitions

from events.codec import Codec
from events.event import Envelope
from events.ids import AccountId, EventId, HybridClock, TweetId
from events.kafka.log import KafkaLogReader
from events.kafka.producing import KafkaPublisher
from events.kafka.records import headers, value
from events.kafka.topics import apply
from events.keys import Keys
from events.log import LogUnavailable, Positions, Record, TopicPartition, positions_after
from events.partitioning import partition_of
from events.public_tweets import TweetRetracted
from events.publishing import Outgoing
from events.sealing import MasterKeys, Sealer
from tests.on_kafka import PATIENCE_S, account, admin_of, delete_topics, follow, own_prefix, send_nameless_header
from tests.records import event_of

pytestmark = pytest.mark.engines

TOPICS = {"graph": 4, "public-tweets": 1}
Reading = Callable[..., KafkaLogReader]
"""Makes readers."""


class NoKeys(Keys):
    """The key store of a log in which nothing is sealed."""

    def __init__(self) -> None:
        self._sealer = Sealer(MasterKeys.generate())

    @property
    def sealer(self) -> Sealer:
        return self._sealer

    async def fetch(self, subjects: Iterable[str]) -> None:
        assert not set(subjects)

    async def create(self, subject: str) -> None:
        raise AssertionError(subject)


@pytest.fixture
def ids() -> HybridClock:
    return HybridClock()


@pytest.fixture
async def prefix(kafka: str) -> AsyncIterator[str]:
    name = own_prefix()
    await apply(admin_of(kafka), ["graph"], partitions=4, prefix=name)
    await apply(admin_of(kafka), ["public-tweets"], partitions=1, prefix=name)
    yield name
    await delete_topics(kafka, [f"{name}graph", f"{name}public-tweets"])


@pytest.fixture
async def publisher(kafka: str, prefix: str) -> AsyncIterator[KafkaPublisher]:
    made = KafkaPublisher(kafka, TOPICS, prefix=prefix, ack_s=PATIENCE_S)
    yield made
    await made.close()


@pytest.fixture
async def reading(kafka: str, prefix: str) -> AsyncIterator[Reading]:
    """Makes readers, and ends them."""
    made: list[KafkaLogReader] = []

    def make(servers: str = kafka, topics: dict[str, int] = TOPICS, **options: float) -> KafkaLogReader:
        keys = NoKeys()
        made.append(KafkaLogReader(servers, topics, Codec(keys.sealer), keys, prefix=prefix, **options))
        return made[-1]

    yield make
    for reader in made:
        await reader.close()


@pytest.fixture
def reader(reading: Reading) -> KafkaLogReader:
    return reading()


def in_partition(partition: int, number: int = 0) -> AccountId:
    """An account whose graph stands in a partition."""
    found = [n for n in range(200) if partition_of(account(n), 4) == partition]
    return account(found[number])


def sent(servers: str, prefix: str, records: list[Outgoing]) -> None:
    """Records sent by another client, faster than one in flight per entity."""
    producer = Producer({"bootstrap.servers": servers, "linger.ms": 5})
    for record in records:
        partition = partition_of(record.key, TOPICS[record.topic])
        producer.produce(prefix + record.topic, value(record), record.key, partition, headers=list(headers(record)))
    assert producer.flush(PATIENCE_S) == 0


async def everything(reader: KafkaLogReader, limit: int, after: Positions | None = None) -> list[Record]:
    records, positions = [], Positions(after or {})
    while batch := await reader.read(positions, limit):
        records += batch
        positions = positions_after(batch, positions)
    return records


async def test_a_partition_with_much_to_read_keeps_no_other_waiting(
    kafka: str, prefix: str, reader: KafkaLogReader, ids: HybridClock
) -> None:
    """The few records of the others are read long before the many of one, whose turn came first."""
    many = [follow(ids, in_partition(0)) for _ in range(5_000)]
    few = [follow(ids, in_partition(partition)) for partition in (1, 2, 3) for _ in range(10)]
    await asyncio.to_thread(sent, kafka, prefix, many + few)
    positions, batches = Positions(), 0
    while any(positions.get(TopicPartition("graph", partition), 0) < 10 for partition in (1, 2, 3)):
        positions = positions_after(await reader.read(positions, 100), positions)
        batches += 1
    assert batches < 25
    assert len(await everything(reader, 5000, positions)) == 5_030 - sum(positions.values())


async def test_a_reader_that_goes_back_reads_the_same_again(
    kafka: str, prefix: str, reader: KafkaLogReader, ids: HybridClock
) -> None:
    records = [follow(ids, account(n % 20)) for n in range(500)]
    await asyncio.to_thread(sent, kafka, prefix, records)
    first = await everything(reader, 70)
    assert sorted(r.about.id for r in first) == [record.about.id for record in records]
    by_place = {(record.place, record.offset): record for record in first}
    for back in (0, 3, 50):
        after = Positions({TopicPartition("graph", partition): back for partition in range(4)})
        again = await everything(reader, 33, after)
        assert {(r.place, r.offset): r for r in again} == {
            place: record for place, record in by_place.items() if record.offset >= back
        }


async def test_readers_of_the_same_reader_at_once_do_not_mix_their_places(
    kafka: str, prefix: str, reader: KafkaLogReader, ids: HybridClock
) -> None:
    await asyncio.to_thread(sent, kafka, prefix, [follow(ids, account(n % 20)) for n in range(300)])
    ways = await asyncio.gather(*(everything(reader, limit) for limit in (60, 75, 100)))
    assert len(ways[0]) == 300
    assert all(sorted(r.about.id for r in way) == sorted(r.about.id for r in ways[0]) for way in ways)


async def test_a_reader_that_gave_up_in_the_middle_misses_nothing_later(
    kafka: str, prefix: str, reader: KafkaLogReader, ids: HybridClock
) -> None:
    records = [follow(ids, account(n % 20)) for n in range(300)]
    await asyncio.to_thread(sent, kafka, prefix, records)
    for turns in range(12):
        giving_up = asyncio.ensure_future(reader.read({}, 300))
        for _ in range(turns):
            await asyncio.sleep(0)
        giving_up.cancel()
        await asyncio.gather(giving_up, return_exceptions=True)
        read = await everything(reader, 300)
        assert sorted(record.about.id for record in read) == [record.about.id for record in records]


async def test_what_compaction_removed_is_passed_over(
    kafka: str, prefix: str, publisher: KafkaPublisher, reader: KafkaLogReader, ids: HybridClock
) -> None:
    """A tweet that is retracted leaves its tombstone only; then the newest record of each tweet is there."""
    admin = admin_of(kafka)
    await compact_at_once(admin, f"{prefix}public-tweets")
    tweets = [TweetId(account(n)) for n in range(3)]
    for _ in range(3):
        await publisher.publish([published(ids, tweet) for tweet in tweets])
    last = retracted(ids, tweets[0])
    await publisher.publish([last])
    ends = await reader.ends()
    deadline = time.monotonic() + PATIENCE_S * 3
    while True:
        # Compaction looks at closed segments: another record closes the one before it.
        await publisher.publish([published(ids, tweets[2])])
        records = await everything(reader, 10)
        old = [record for record in records if record.offset < ends[records[0].place]]
        if len(old) < 4:
            break
        assert time.monotonic() < deadline
        await asyncio.sleep(0.2)
    assert [record.about.id for record in records if record.key == tweets[0]] == [last.about.id]
    [tombstone] = [record for record in records if record.key == tweets[0]]
    assert event_of(tombstone, TweetRetracted).tweet == tweets[0]


async def compact_at_once(admin: AdminClient, name: str) -> None:
    eager = {"segment.ms": "100", "min.cleanable.dirty.ratio": "0.0", "max.compaction.lag.ms": "100"}
    entries = [ConfigEntry(*item, incremental_operation=AlterConfigOpType.SET) for item in eager.items()]
    resource = ConfigResource(ResourceType.TOPIC, name, incremental_configs=entries)
    await asyncio.gather(*map(asyncio.wrap_future, admin.incremental_alter_configs([resource]).values()))


def published(ids: HybridClock, tweet: TweetId) -> Outgoing:
    fields = {
        "tweet": tweet, "author": account(1), "version": 1, "text": "hello", "entities": {}, "label": "neutral",
        "score": 0.0,
    }  # fmt: skip
    content = msgspec.json.encode(fields)
    about = Envelope(EventId(ids.issue()), ids.now(), source_positions="tweets-0:7")
    return Outgoing("public-tweets", tweet, "TweetPublished", 1, content, about)


def retracted(ids: HybridClock, tweet: TweetId) -> Outgoing:
    content = msgspec.json.encode({"tweet": tweet})
    return Outgoing("public-tweets", tweet, "TweetRetracted", 1, content, Envelope(EventId(ids.issue()), ids.now()))


async def test_a_record_of_somebody_else_is_answered_with_its_fault_among_the_others(
    kafka: str, prefix: str, reader: KafkaLogReader, ids: HybridClock
) -> None:
    producer = Producer({"bootstrap.servers": kafka})
    producer.produce(f"{prefix}graph", b"hello", b"k", 2)
    assert await asyncio.to_thread(producer.flush, PATIENCE_S) == 0
    await asyncio.to_thread(send_nameless_header, kafka, f"{prefix}graph", 2, "hello", 200)
    ours = follow(ids, in_partition(2))
    await asyncio.to_thread(sent, kafka, prefix, [ours])
    *foreign, next_ = await everything(reader, 100)
    for offset, record in enumerate(foreign):
        assert (str(record), record.fault, record.event) == (f"graph-2@{offset} ", "it has no ce_type", None)
    assert len(foreign) == 201
    assert (next_.about.id, next_.fault) == (ours.about.id, "")


async def test_without_kafka_every_call_raises_log_unavailable(reading: Reading) -> None:
    nobody = reading("127.0.0.1:1", reply_s=0.3)
    for asking in (nobody.ends, lambda: nobody.wait({}, 60), lambda: nobody.read({}, 10)):
        with pytest.raises(LogUnavailable):
            await asking()


async def test_the_metadata_of_partitions_is_refreshed_soon(kafka: str, reading: Reading, prefix: str) -> None:
    """librdkafka would ask no more for 15 minutes, where a broker knew fewer partitions than there are."""
    reader = reading(topics={"graph": 6, "public-tweets": 1}, reply_s=2)
    await refused(reader, "Unknown partition")
    admin = admin_of(kafka)  # kept until it has answered
    [grown] = admin.create_partitions([NewPartitions(f"{prefix}graph", 6)]).values()
    await asyncio.wrap_future(grown)
    async with asyncio.timeout(PATIENCE_S):
        while True:
            try:
                assert await reader.ends() == {}
                return
            except LogUnavailable:
                await asyncio.sleep(0.05)


async def refused(reader: KafkaLogReader, reason: str) -> None:
    """Ask for the ends until the reason is this one; a busy broker may let the question time out before."""
    async with asyncio.timeout(PATIENCE_S):
        while True:
            with pytest.raises(LogUnavailable) as refusal:
                await reader.ends()
            if reason in str(refusal.value):
                return
