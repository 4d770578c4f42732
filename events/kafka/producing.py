"""Publish to Kafka from an event loop: `produce` runs on the loop, one thread polls for delivery reports.

librdkafka takes a record in a few us and reports its delivery in the thread that polls. That thread puts the reports
into a deque. The first report wakes the loop, which then takes all of them. A record costs well under a millisecond at
p50 this way (docs/explanation/kafka.md has the figures and the command).

A caller waits at most `ack_s`. After a timeout the breaker is open, and the next callers fail at once.
"""

from __future__ import annotations

import asyncio
import logging
import threading
import time
from collections import deque
from collections.abc import Callable, Mapping, Sequence
from functools import partial
from typing import Any

from confluent_kafka import KafkaError, KafkaException, Message, Producer

from ..calls import called
from ..ids import millis
from ..log import LogUnavailable, Positions, TopicPartition
from ..partitioning import partition_of
from ..publishing import Outgoing
from ..topics import ON_KAFKA, TopicKind
from .breaker import Breaker
from .records import MAX_RECORD_BYTES, SOURCE, check_size, headers, value

_log = logging.getLogger(__name__)
_client = logging.getLogger("librdkafka")
_POLL_S = 0.1
"""The longest time until the thread notices that it has to end."""


class _Wave:
    """Records that were sent together. `answer` is set once the last one is acknowledged or one has failed."""

    __slots__ = ("answer", "left", "positions", "producer")

    def __init__(self, size: int, answer: asyncio.Future[Positions], producer: Producer) -> None:
        self.left = size
        self.answer = answer
        self.positions = Positions()
        self.producer = producer

    def fail(self, why: str) -> None:
        if not self.answer.done():  # else the caller was cancelled or timed out
            self.answer.set_exception(LogUnavailable(why))


class KafkaPublisher:
    """The Publisher port on Kafka, for one event loop; `partitions` is the number of partitions of each topic.

    `ack_s` bounds the wait for an acknowledgement, `buffered` the number of records that wait to be sent. `pause_s` is
    the time between two probes of the open breaker. `prefix` stands before the names of the topics. `linger_ms` is how
    long a record waits for other records to the same broker.
    """

    def __init__(
        self,
        servers: str,
        partitions: Mapping[str, int],
        *,
        prefix: str = "",
        source: str = SOURCE,
        ack_s: float = 1.0,
        buffered: int = 20_000,
        linger_ms: float = 0,
        pause_s: float = 1.0,
        timer: Callable[[], float] = time.monotonic,
    ) -> None:
        self.breaker = Breaker(pause_s, timer)
        self._servers = servers
        self._partitions = partitions
        self._names = {topic: prefix + topic for topic in partitions}
        self._source = source
        self._ack_s = ack_s
        self._buffered = buffered
        self._linger_ms = linger_ms
        self._reports: deque[tuple[_Wave, TopicPartition, KafkaError | None, int]] = deque()
        self._woken = False
        self._closing = False
        self._producer = self._make()
        self._thread = threading.Thread(target=self._poll, name="kafka-deliveries", daemon=True)
        self._thread.start()

    def _make(self) -> Producer:
        settings: dict[str, Any] = {
            "bootstrap.servers": self._servers,
            "client.id": "minitwitter",
            "enable.idempotence": True,
            "acks": "all",
            "linger.ms": self._linger_ms,
            # Not longer than the caller waits: a record sent later would be a copy, as the caller publishes it again.
            "message.timeout.ms": int(self._ack_s * 1000),
            "request.timeout.ms": int(self._ack_s * 1000),
            "message.max.bytes": MAX_RECORD_BYTES,
            "queue.buffering.max.messages": self._buffered,
            "queue.buffering.max.kbytes": 65_536,
            "reconnect.backoff.ms": 50,
            "reconnect.backoff.max.ms": 500,
            "retry.backoff.ms": 20,
            "retry.backoff.max.ms": 200,
            "topic.metadata.refresh.fast.interval.ms": 100,
            "error_cb": _told,
        }
        return Producer(settings, logger=_client)

    async def publish(self, records: Sequence[Outgoing]) -> Positions:
        """Append in order per entity; return the positions just past the records.

        A record of a source topic is sent when the record before it of the same entity is acknowledged, so no record
        can overtake one that failed: a call takes as many round trips as one entity has records in it. Records of
        derived topics are sent together, in their order, which an idempotent producer keeps. If some of these fail, the
        log may have later ones, until the caller publishes all of them again behind those. Raises RecordTooLarge before
        anything is sent, and LogUnavailable if Kafka does not acknowledge in time.
        """
        for record in records:
            check_size(record)
        if not self.breaker.admits():
            raise LogUnavailable("Kafka does not answer; the next attempt follows shortly")
        started = time.perf_counter()
        try:
            positions = Positions()
            for wave in _waves(records):
                positions.update(await self._send(wave))
        except LogUnavailable:
            called("kafka", started, answered=False)
            raise
        called("kafka", started, answered=True)
        return positions

    async def answers(self) -> bool:
        """Ask Kafka whether every partition has a leader. (The breaker reflects only the last published record.)"""
        try:
            found = (await asyncio.to_thread(self._producer.list_topics, timeout=self._ack_s)).topics
        except KafkaException:
            return False
        topics = [found.get(name) for name in self._names.values()]
        return all(topic and all(one.leader >= 0 for one in topic.partitions.values()) for topic in topics)

    async def close(self) -> None:
        """Wait at most `ack_s` for records in flight, and end the thread."""
        await asyncio.to_thread(self._end)
        self._take_reports()

    def _end(self) -> None:
        self._producer.flush(self._ack_s)
        self._closing = True
        self._thread.join()

    async def _send(self, records: Sequence[Outgoing]) -> Positions:
        loop = asyncio.get_running_loop()
        wave = _Wave(len(records), loop.create_future(), self._producer)
        bound = loop.call_later(self._ack_s, self._late, wave)  # takes a third of the time of asyncio.timeout
        try:
            for record in records:
                self._produce(wave, record)
            return await wave.answer
        except BufferError:
            self.breaker.failed()
            raise LogUnavailable(f"{self._buffered} records already wait for Kafka") from None
        except KafkaException as error:
            raise LogUnavailable(self._failure(wave, error.args[0])) from None
        finally:
            bound.cancel()
            wave.answer.cancel()  # later reports are ignored

    def _late(self, wave: _Wave) -> None:
        if not wave.answer.done():
            self.breaker.failed()
            wave.fail(f"Kafka has not acknowledged within {self._ack_s:g} s")

    def _produce(self, wave: _Wave, record: Outgoing) -> None:
        place = TopicPartition(record.topic, partition_of(record.key, self._partitions[record.topic]))
        self._producer.produce(
            self._names[record.topic],
            value(record),
            record.key,
            place.partition,
            on_delivery=partial(self._reported, wave, place),
            timestamp=millis(record.about.id),
            headers=list(headers(record, self._source)),
        )

    def _poll(self) -> None:
        while not self._closing:
            self._producer.poll(_POLL_S)

    def _reported(self, wave: _Wave, place: TopicPartition, error: KafkaError | None, message: Message) -> None:
        """Queue a delivery report and wake the loop. Runs in the thread that polls."""
        offset = message.offset()
        self._reports.append((wave, place, error, -1 if offset is None else offset))
        if not self._woken:
            self._woken = True
            wave.answer.get_loop().call_soon_threadsafe(self._take_reports)

    def _take_reports(self) -> None:
        """Apply the queued reports. Runs on the loop; a report that arrives from here on wakes the loop again."""
        self._woken = False
        while self._reports:
            wave, place, error, offset = self._reports.popleft()
            if error is not None:
                wave.fail(self._failure(wave, error))
                continue
            self.breaker.succeeded()
            if offset < 0:  # an earlier attempt appended it, and its acknowledgement was lost: the offset is unknown
                wave.fail("Kafka has the record, but does not report its offset")
                continue
            wave.left -= 1
            wave.positions[place] = max(wave.positions.get(place, 0), offset + 1)
            if not wave.left and not wave.answer.done():
                wave.answer.set_result(wave.positions)

    def _failure(self, wave: _Wave, error: KafkaError) -> str:
        """Describe an error of Kafka. Sets the breaker, and replaces a producer that failed for good."""
        if error.code() < 0:  # negative codes are the client's (no answer), positive ones the broker's answers
            self.breaker.failed()
        else:
            self.breaker.succeeded()
        if (error.fatal() or error.code() == KafkaError._FATAL) and wave.producer is self._producer:
            self._replace()
        return f"Kafka did not accept the record: {error.str()}"

    def _replace(self) -> None:
        """Replace a producer that failed for good: its sequence numbers no longer match the broker's."""
        _log.warning("the Kafka producer failed for good; a new one replaces it")
        old, self._producer = self._producer, self._make()
        threading.Thread(target=_discard, args=(old,), name="kafka-discarding", daemon=True).start()


def _waves(records: Sequence[Outgoing]) -> list[list[Outgoing]]:
    """Split the records into waves that are sent one after the other; nearly always there is one.

    A wave has at most one record of each entity of a source topic. First copies of such an entity have ascending ids
    (first_copies.py); a record that overtook an earlier one would make readers drop the earlier one as a copy.
    """
    if len(records) == 1:
        return [list(records)]
    turns: dict[tuple[str, str], int] = {}
    waves: list[list[Outgoing]] = []
    for record in records:
        entity = (record.topic, record.key)
        turn = 0 if ON_KAFKA[record.topic].kind is TopicKind.DERIVED else turns.get(entity, 0)
        turns[entity] = turn + 1
        if turn == len(waves):
            waves.append([])
        waves[turn].append(record)
    return waves


def _discard(producer: Producer) -> None:
    """Report all records of the old producer as failed."""
    producer.purge()
    producer.flush(1)


def _told(error: KafkaError) -> None:
    """Log an error of librdkafka. It reports each broker that it loses, and keeps reconnecting."""
    _client.warning("publishing: %s", error.str())
