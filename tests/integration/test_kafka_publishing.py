"""Publishing to a real Kafka: where records go, in which order, what waits and for how long."""

import asyncio
import subprocess
import sys
import time
from collections.abc import AsyncIterator, Callable, Coroutine, Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

import msgspec
import pytest
from confluent_kafka import Message, Producer

from events.event import Envelope
from events.ids import EventId, HybridClock
from events.kafka.producing import KafkaPublisher
from events.kafka.records import MAX_RECORD_BYTES, RecordTooLarge
from events.kafka.topics import apply
from events.log import LogUnavailable, Positions, TopicPartition
from events.partitioning import partition_of
from events.publishing import Outgoing
from tests.on_kafka import PATIENCE_S, account, admin_of, delete_topics, follow, headers_of, offset_of, own_prefix, raw

pytestmark = pytest.mark.engines

ROOT = Path(__file__).parents[2]
GRAPH = {"graph": 4}
NOBODY = "127.0.0.1:1"
"""No Kafka answers there."""


@pytest.fixture(scope="module")
def prefix(kafka: str) -> Iterator[str]:
    """Topics of this module, with four partitions."""
    name = own_prefix()
    run(lambda: apply(admin_of(kafka), GRAPH, partitions=4, prefix=name))
    yield name
    run(lambda: delete_topics(kafka, [f"{name}graph"]))


@pytest.fixture
def ids() -> HybridClock:
    return HybridClock()


@pytest.fixture
async def publisher(kafka: str, prefix: str) -> AsyncIterator[KafkaPublisher]:
    made = KafkaPublisher(kafka, GRAPH, prefix=prefix, ack_s=PATIENCE_S)
    yield made
    await made.close()


@pytest.fixture
def produced(monkeypatch: pytest.MonkeyPatch) -> list[Outgoing]:
    """The records handed to librdkafka. Its own count of what waits has what it has to say in it, too."""
    records: list[Outgoing] = []
    produce = KafkaPublisher._produce

    def counted(publisher: KafkaPublisher, wave: Any, record: Outgoing) -> None:
        records.append(record)
        produce(publisher, wave, record)

    monkeypatch.setattr(KafkaPublisher, "_produce", counted)
    return records


def run(work: Callable[[], Coroutine[Any, Any, object]]) -> None:
    with ThreadPoolExecutor(1) as pool:
        pool.submit(asyncio.run, work()).result()


def found(kafka: str, prefix: str, records: list[Outgoing]) -> list[tuple[str, TopicPartition, int]]:
    """Those of the records that stand in the log, by id: partition and offset."""
    wanted = {record.about.id.encode() for record in records}
    messages = raw(kafka, {f"{prefix}graph": 4})
    return [
        (headers_of(message)["ce_id"].decode(), partition_in(message), offset_of(message))
        for message in messages
        if headers_of(message)["ce_id"] in wanted
    ]


def partition_in(message: Message) -> TopicPartition:
    """Return the partition of a message of the topic `graph`."""
    partition = message.partition()
    assert partition is not None
    return TopicPartition("graph", partition)


def key_of(message: Message) -> str:
    """Return the key of a message."""
    key = message.key()
    assert key is not None
    return key.decode()


async def test_a_key_goes_to_the_partition_that_librdkafkas_murmur2_chooses(kafka: str) -> None:
    """The Java client's default: other producers' records of an entity join ours."""
    prefix = own_prefix()
    await apply(admin_of(kafka), GRAPH, partitions=4, prefix=prefix)
    name = f"{prefix}graph"
    keys = ["", "a", "ab", "abc", "abcd", "ünï", *(account(n) for n in range(200))]
    theirs = Producer({"bootstrap.servers": kafka, "partitioner": "murmur2", "linger.ms": 5})
    partitions: dict[str, int | None] = {}
    for key in keys:
        theirs.produce(name, b"{}", key, on_delivery=lambda _, m: partitions.update({key_of(m): m.partition()}))
    assert await asyncio.to_thread(theirs.flush, PATIENCE_S) == 0
    assert partitions == {key: partition_of(key, 4) for key in keys}
    assert set(partitions.values()) == {0, 1, 2, 3}
    await delete_topics(kafka, [name])


async def test_publishing_returns_the_positions_of_the_records(
    kafka: str, prefix: str, publisher: KafkaPublisher, ids: HybridClock
) -> None:
    records = [follow(ids, account(n)) for n in range(20)]
    positions = await publisher.publish(records)
    places = found(kafka, prefix, records)
    assert sorted(id_ for id_, _, _ in places) == sorted(record.about.id for record in records)
    newest = Positions()
    for _, place, offset in places:
        newest[place] = max(newest.get(place, 0), offset + 1)
    assert positions == newest


async def test_many_callers_at_once_are_each_answered_for_their_own_record(
    kafka: str, prefix: str, publisher: KafkaPublisher, ids: HybridClock
) -> None:
    records = [follow(ids, account(n % 50)) for n in range(500)]
    answers = await asyncio.gather(*(publisher.publish([record]) for record in records))
    expected = {id_: {place: offset + 1} for id_, place, offset in found(kafka, prefix, records)}
    assert [expected[record.about.id] for record in records] == answers


async def test_the_records_of_an_entity_stand_in_the_order_they_were_given(
    kafka: str, prefix: str, publisher: KafkaPublisher, ids: HybridClock
) -> None:
    records = [follow(ids, account(n % 3)) for n in range(60)]
    await publisher.publish(records)
    places = {id_: offset for id_, _, offset in found(kafka, prefix, records)}
    for number in range(3):
        offsets = [places[record.about.id] for record in records if record.key == account(number)]
        assert offsets == sorted(offsets)


async def test_a_record_that_no_topic_takes_is_refused_and_nothing_of_its_call_is_sent(
    kafka: str, prefix: str, publisher: KafkaPublisher, ids: HybridClock
) -> None:
    good = follow(ids, account(1))
    large = msgspec.structs.replace(follow(ids, account(2)), value=b"x" * MAX_RECORD_BYTES)
    with pytest.raises(RecordTooLarge):
        await publisher.publish([good, large])
    assert found(kafka, prefix, [good, large]) == []
    assert not publisher.breaker.is_open


async def test_the_largest_record_that_is_let_through_is_taken(publisher: KafkaPublisher, ids: HybridClock) -> None:
    """What we count is never less than what Kafka counts."""
    large = follow(ids, account(1))
    size = MAX_RECORD_BYTES
    while True:
        try:
            await publisher.publish([msgspec.structs.replace(large, value=b"x" * size)])
        except RecordTooLarge as refused:
            size -= refused.size - MAX_RECORD_BYTES
        else:
            break
    assert size > MAX_RECORD_BYTES - 2_000


async def test_a_caller_who_gives_up_leaves_the_others_alone(publisher: KafkaPublisher, ids: HybridClock) -> None:
    leaving = asyncio.ensure_future(publisher.publish([follow(ids, account(1))]))
    staying = asyncio.ensure_future(publisher.publish([follow(ids, account(2))]))
    await asyncio.sleep(0)
    leaving.cancel()
    assert await staying
    assert await publisher.publish([follow(ids, account(1))])


async def test_a_producer_that_fails_for_good_is_replaced(publisher: KafkaPublisher, ids: HybridClock) -> None:
    await publisher.publish([follow(ids, account(1))])
    first = publisher._producer
    publisher._replace()
    assert publisher._producer is not first
    assert await publisher.publish([follow(ids, account(1))])


async def test_records_in_flight_are_delivered_before_the_publisher_closes(
    kafka: str, prefix: str, ids: HybridClock
) -> None:
    publisher = KafkaPublisher(kafka, GRAPH, prefix=prefix, ack_s=PATIENCE_S)
    record = follow(ids, account(1))
    publishing = asyncio.ensure_future(publisher.publish([record]))
    await asyncio.sleep(0)
    await publisher.close()
    assert await publishing
    assert len(found(kafka, prefix, [record])) == 1


async def test_without_kafka_the_first_caller_waits_for_the_timeout_and_the_next_ones_fail_at_once(
    ids: HybridClock, produced: list[Outgoing]
) -> None:
    publisher = KafkaPublisher(NOBODY, GRAPH, ack_s=0.3, pause_s=3600)
    for bound in (0.3, 0.0):
        began = time.perf_counter()
        with pytest.raises(LogUnavailable):
            await publisher.publish([follow(ids, account(1))])
        assert time.perf_counter() - began >= bound
        assert publisher.breaker.is_open
    assert len(produced) == 1  # the second one was not even handed over
    await publisher.close()


async def test_nothing_of_an_entity_is_sent_before_the_record_ahead_of_it_is_acknowledged(
    ids: HybridClock, produced: list[Outgoing]
) -> None:
    """So that none of a call can stand in the log where one before it has failed."""
    publisher = KafkaPublisher(NOBODY, GRAPH, ack_s=PATIENCE_S)
    records = [follow(ids, account(n % 2)) for n in range(6)]
    publishing = asyncio.ensure_future(publisher.publish(records))
    await asyncio.sleep(0)
    assert produced == records[:2]  # the first of each of the two
    publisher._producer.purge()
    with pytest.raises(LogUnavailable):
        await publishing
    assert produced == records[:2]
    await publisher.close()


NOTIFICATIONS = {"notifications": 4}


def raised(ids: HybridClock, recipient: str) -> Outgoing:
    """A derived event to publish."""
    id_ = EventId(ids.issue())
    return Outgoing("notifications", recipient, "NotificationRaised", 1, b"{}", Envelope(id_, ids.now()))


async def test_derived_records_of_an_entity_stand_in_the_order_they_were_given(kafka: str, ids: HybridClock) -> None:
    prefix = own_prefix()
    await apply(admin_of(kafka), NOTIFICATIONS, partitions=4, prefix=prefix)
    publisher = KafkaPublisher(kafka, NOTIFICATIONS, prefix=prefix, ack_s=PATIENCE_S)
    records = [raised(ids, account(n % 2)) for n in range(1000)]
    await publisher.publish(records)
    messages = await asyncio.to_thread(raw, kafka, {f"{prefix}notifications": 4})
    for number in range(2):
        own = [headers_of(m)["ce_id"].decode() for m in messages if key_of(m) == account(number)]
        assert own == [record.about.id for record in records if record.key == account(number)]
    await publisher.close()
    await delete_topics(kafka, [f"{prefix}notifications"])


async def test_derived_records_of_an_entity_do_not_wait_for_each_other(
    ids: HybridClock, produced: list[Outgoing]
) -> None:
    """One account may be told of a thousand likes in a batch: a round trip for each would take a second."""
    publisher = KafkaPublisher(NOBODY, NOTIFICATIONS, ack_s=PATIENCE_S)
    records = [raised(ids, account(1)) for _ in range(1000)]
    publishing = asyncio.ensure_future(publisher.publish(records))
    await asyncio.sleep(0)
    assert produced == records
    publisher._producer.purge()
    with pytest.raises(LogUnavailable):
        await publishing
    await publisher.close()


async def test_when_too_many_wait_already_the_next_is_refused_at_once(ids: HybridClock) -> None:
    publisher = KafkaPublisher(NOBODY, GRAPH, ack_s=PATIENCE_S, buffered=5)
    waiting = [asyncio.ensure_future(publisher.publish([follow(ids, account(n))])) for n in range(5)]
    await asyncio.sleep(0)
    with pytest.raises(LogUnavailable, match="5 records already wait"):
        await publisher.publish([follow(ids, account(6))])
    assert publisher.breaker.is_open
    for one in waiting:
        one.cancel()
    publisher._producer.purge()
    await publisher.close()


async def test_the_bench_of_kafka_runs(kafka: str) -> None:
    """The command of docs/explanation/kafka.md."""
    command = [sys.executable, "-m", "bench.kafka", "--servers", kafka, "--records", "300"]
    done = await asyncio.to_thread(subprocess.run, command, cwd=ROOT, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr
    assert [line.rpartition(":")[0] for line in done.stdout.splitlines()] == [
        "published, one a call, 64 in flight",
        "librdkafka alone",
        "published at 1,280/s",
        "read and decoded",
        "librdkafka alone",
    ]
