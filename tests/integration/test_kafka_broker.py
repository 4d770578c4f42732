"""A Kafka of the test's own that is killed, frozen and started again, under a ledger of what it acknowledged."""

import asyncio
import contextlib
import os
import signal
import time
from collections.abc import Callable, Mapping

import pytest
from confluent_kafka import Consumer, TopicPartition

from events.ids import AccountId, HybridClock
from events.kafka.looking import KafkaMembers
from events.kafka.producing import KafkaPublisher
from events.kafka.topics import apply, check
from events.log import LogUnavailable
from events.partitioning import partition_of
from events.publishing import Outgoing
from infra.local.kafka import Kafka, cluster_id
from infra.local.processes import StartedProcess
from infra.local.running import Running
from tests.on_kafka import PATIENCE_S, account, admin_of, follow, headers_of, raw

JOINED_S = 60

pytestmark = [pytest.mark.engines, pytest.mark.slow, pytest.mark.long]

GRAPH = {"graph": 4}
ACK_S = 1.0
LATE_S = 1.0
"""Tolerance of timeouts on a busy machine, in seconds."""


class Writers:
    """Writers that go on whatever happens, each on an entity of its own, and the ledger of what they were answered.

    They stand for a command API with an outbox behind it: what is not acknowledged is published again, in order.
    """

    def __init__(self, publisher: KafkaPublisher, number: int = 8) -> None:
        self.publisher = publisher
        self.acknowledged: dict[str, tuple[int, int]] = {}
        self.refused = 0
        self.longest_s = 0.0
        self._ids = HybridClock()
        self._on = True
        self._tasks = [asyncio.ensure_future(self._write(account(n))) for n in range(number)]

    async def _write(self, entity: AccountId) -> None:
        record = follow(self._ids, entity)
        while self._on:
            if await self._published(record):
                record = follow(self._ids, entity)
            else:
                await asyncio.sleep(0.01)

    async def _published(self, record: Outgoing) -> bool:
        began = time.perf_counter()
        try:
            positions = await self.publisher.publish([record])
        except LogUnavailable:
            self.refused += 1
            return False
        finally:
            self.longest_s = max(self.longest_s, time.perf_counter() - began)
        [(place, end)] = positions.items()
        self.acknowledged[record.about.id] = (place.partition, end - 1)
        return True

    async def until(self, condition: Callable[[], object], seconds: int = 60) -> None:
        """Wait for something to have happened."""
        deadline = time.monotonic() + seconds
        while True:
            if condition():
                return
            assert time.monotonic() < deadline
            for task in self._tasks:
                if task.done():
                    await task
            await asyncio.sleep(0.02)

    async def more(self, number: int = 200) -> None:
        """Wait until that many more writes are acknowledged."""
        wanted = len(self.acknowledged) + number
        await self.until(lambda: len(self.acknowledged) >= wanted)

    async def turned_away(self, number: int) -> None:
        """Let that many more be refused, which happens soon only where they do not wait for it."""
        wanted = self.refused + number
        await self.until(lambda: self.refused >= wanted)

    async def stop(self) -> None:
        self._on = False
        await asyncio.wait_for(asyncio.gather(*self._tasks), 60)


def check_ledger(servers: str, writers: Writers) -> int:
    """Check that every acknowledged record has its position, and that first copies of an entity ascend."""
    messages = raw(servers, GRAPH)
    at = {(m.partition(), m.offset()): headers_of(m)["ce_id"].decode() for m in messages}
    assert {id_: at.get(where) for id_, where in writers.acknowledged.items()} == {
        id_: id_ for id_ in writers.acknowledged
    }
    newest: dict[bytes | None, str] = {}
    copies = 0
    seen = set()
    for message in messages:
        id_ = headers_of(message)["ce_id"].decode()
        if id_ in seen:
            copies += 1
            continue
        seen.add(id_)
        assert id_ > newest.get(message.key(), "")
        newest[message.key()] = id_
    return copies


def processes(running: Running) -> Mapping[str, StartedProcess]:
    """Return the brokers that run."""
    note = running.note("kafka")
    assert note is not None
    return note.processes


async def up(running: Running, servers: int = 1) -> str:
    return (await asyncio.to_thread(running.up, Kafka(), servers=servers)).url


async def counted(members: KafkaMembers, consumer: Consumer) -> None:
    """Wait until a reader is a member of its group, and is counted."""
    async with asyncio.timeout(JOINED_S):
        while True:
            await asyncio.to_thread(consumer.poll, 0.2)
            with contextlib.suppress(LogUnavailable):
                if await members.count() == {"readers": 1, "nobody": 0}:
                    return


async def test_a_broker_starts_is_killed_starts_again_on_its_data_and_stops(running: Running) -> None:
    url = await up(running)
    await apply(admin_of(url), partitions=4)
    assert running.status(Kafka()) == {"kafka-1": True}
    members = KafkaMembers(url, ["readers", "nobody"], prefix="test-")
    with contextlib.closing(Consumer({"bootstrap.servers": url, "group.id": "test-readers"})) as consumer:
        consumer.subscribe(["tweets"])
        await counted(members, consumer)
        running.kill("kafka")
        assert running.status(Kafka()) == {"kafka-1": False}
        with pytest.raises(LogUnavailable, match="Kafka does not answer"):
            await members.count()
        assert await up(running) == url
        await check(admin_of(url), partitions=4)
        await counted(members, consumer)
    assert running.down("kafka")
    assert running.status(Kafka()) == {"kafka-1": False}


async def test_while_the_broker_is_unavailable_writers_wait_a_second_at_most_and_nothing_acknowledged_is_lost(
    running: Running,
) -> None:
    url = await up(running)
    await apply(admin_of(url), GRAPH, partitions=4)
    publisher = KafkaPublisher(url, GRAPH, ack_s=ACK_S)
    writers = Writers(publisher)
    await writers.more()
    for _ in range(2):
        running.kill("kafka")
        await writers.until(lambda: publisher.breaker.is_open)
        await writers.turned_away(100)
        assert not await publisher.answers()
        await up(running)
        await writers.until(lambda: not publisher.breaker.is_open)
        assert await publisher.answers()
        await writers.more()
    await writers.stop()
    assert writers.longest_s < ACK_S + LATE_S
    await publisher.close()
    check_ledger(url, writers)


async def test_a_broker_that_does_not_answer_costs_a_second_once(running: Running) -> None:
    """It is frozen: the connection stands, nothing comes back."""
    url = await up(running)
    await apply(admin_of(url), GRAPH, partitions=4)
    publisher = KafkaPublisher(url, GRAPH, ack_s=ACK_S)
    writers = Writers(publisher)
    await writers.more()
    pid = processes(running)["kafka-1"].pid
    os.kill(pid, signal.SIGSTOP)
    try:
        await writers.until(lambda: publisher.breaker.is_open)
        await writers.turned_away(100)
    finally:
        os.kill(pid, signal.SIGCONT)
    await writers.until(lambda: not publisher.breaker.is_open)
    await writers.more()
    await writers.stop()
    assert writers.longest_s < ACK_S + LATE_S
    await publisher.close()
    check_ledger(url, writers)


async def test_a_cluster_that_loses_its_leader_loses_nothing_it_acknowledged(running: Running) -> None:
    """Three brokers, two of which have to have a record: any one of them may go, and come back."""
    url = await up(running, servers=3)
    admin = admin_of(url)
    await apply(admin, GRAPH, partitions=4)
    publisher = KafkaPublisher(url, GRAPH, ack_s=ACK_S)
    writers = Writers(publisher)
    await writers.more()
    graph = (await asyncio.to_thread(admin.list_topics, timeout=PATIENCE_S)).topics["graph"]
    assert {len(partition.isrs) for partition in graph.partitions.values()} == {3}
    await asyncio.to_thread(running.kill, "kafka", f"kafka-{graph.partitions[0].leader}")
    led = set(writers.acknowledged.values())
    await writers.until(lambda: {p for p, _ in set(writers.acknowledged.values()) - led} == leaders_of(writers))
    await up(running, servers=3)
    await writers.more()
    await writers.stop()
    assert writers.longest_s < ACK_S + LATE_S
    await publisher.close()
    check_ledger(url, writers)


def leaders_of(writers: Writers) -> set[int]:
    """The partitions that are written to."""
    return {partition for partition, _ in writers.acknowledged.values()}


async def test_a_record_on_too_few_brokers_is_neither_acknowledged_nor_read(running: Running) -> None:
    """The leader has written it, the other two are frozen."""
    url = await up(running, servers=3)
    admin = admin_of(url)
    await apply(admin, GRAPH, partitions=4)
    ids, publisher = HybridClock(), KafkaPublisher(url, GRAPH, ack_s=ACK_S)
    entity = account(1)
    partition = partition_of(entity, 4)
    while True:
        with contextlib.suppress(LogUnavailable):  # it has just begun, and so have the brokers
            await publisher.publish([follow(ids, entity)])
            break
    graph = (await asyncio.to_thread(admin.list_topics, timeout=PATIENCE_S)).topics["graph"]
    leader = f"kafka-{graph.partitions[partition].leader}"
    [written] = (running.directory / "kafka" / leader / "data" / f"graph-{partition}").glob("*.log")
    size = written.stat().st_size
    reader = Consumer({"bootstrap.servers": url, "group.id": "reader"})
    place = TopicPartition("graph", partition)
    shown = reader.get_watermark_offsets(place, timeout=PATIENCE_S)
    frozen = [process.pid for name, process in processes(running).items() if name != leader]
    for pid in frozen:
        os.kill(pid, signal.SIGSTOP)
    try:
        with pytest.raises(LogUnavailable):
            await publisher.publish([follow(ids, entity)])
        assert written.stat().st_size > size
        assert await asyncio.to_thread(reader.get_watermark_offsets, place, timeout=PATIENCE_S) == shown
    finally:
        for pid in frozen:
            os.kill(pid, signal.SIGCONT)
    reader.close()
    await publisher.close()


def test_a_clusters_id_never_looks_like_an_option() -> None:
    bytes_of = iter([b"\xf8" * 16, b"\xfb" * 16, bytes(16)])
    assert cluster_id(lambda _: next(bytes_of)) == "AAAAAAAAAAAAAAAAAAAAAA"
