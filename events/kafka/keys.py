"""The KeptTopic port on Kafka: the compacted topic `keys`.

The topic is read from a position to its end when a database lacks keys. Each read uses a consumer of its own: 50 ms and
4 us a record. Anybody with write access to the topic can replace keys, as write access to the other topics allows
deleting tweets.
"""

from __future__ import annotations

import asyncio
import logging
import time
from collections.abc import AsyncIterator, Callable, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace
from itertools import count
from typing import TypeVar

from confluent_kafka import OFFSET_END, Consumer, KafkaError, KafkaException, Message
from confluent_kafka import TopicPartition as Place

from ..ids import EventId, HybridClock
from ..kept import Kept, KeptBatch, Tick, outgoing, read
from ..log import LogUnavailable, Positions, TopicPartition
from ..partitioning import partition_of
from ..publishing import Publisher
from ..retries import Backoff, retrying
from ..topics import KEYS

T = TypeVar("T")

_log = logging.getLogger(__name__)
_AT_ONCE = 2_000
_PULL_S = 0.2
_ASK_AGAIN = Backoff((0.05,))


class KafkaKeptReader:
    """The KeptReader port on Kafka."""

    def __init__(self, servers: str, partitions: int, *, prefix: str = "", reply_s: float = 10.0) -> None:
        self._servers = servers
        self._name = prefix + KEYS.name
        self._partitions = partitions
        self._reply_s = reply_s

    async def ends(self) -> Positions:
        """Return the ends of the partitions. Raises LogUnavailable."""
        async with _Asking(self._servers) as ask:
            return await self._told_ends(ask)

    async def since(self, positions: Mapping[TopicPartition, int]) -> AsyncIterator[KeptBatch]:
        """Yield the records from `positions` up to the ends at the time of the call. Raises LogUnavailable.

        Records that minitwitter did not write are skipped with a warning.
        """
        async with _Asking(self._servers) as ask:
            ends = await self._told_ends(ask)
            reached = Positions((place, positions.get(place, 0)) for place in ends)
            left = {place: end for place, end in ends.items() if end > reached[place]}
            places = [Place(self._name, place.partition, reached[place]) for place in left]
            await ask(lambda consumer: consumer.assign(places))
            deadline = time.monotonic() + self._reply_s
            while left:
                messages = await ask(lambda consumer: consumer.consume(_AT_ONCE, _PULL_S))
                kept = []
                for message in messages:
                    place, next_ = _passed(message)
                    if place in left:
                        if message.error() is None and next_ <= left[place]:
                            kept += _kept(message)
                        reached[place] = max(reached[place], min(next_, left[place]))
                        if next_ >= left[place]:  # the end itself says so if the last records were compacted away
                            del left[place]
                if messages:
                    deadline = time.monotonic() + self._reply_s
                    yield KeptBatch(kept, Positions(reached))
                elif time.monotonic() > deadline:
                    raise LogUnavailable(f"Kafka has sent nothing of {self._name} for {self._reply_s:g} s")

    async def _told_ends(self, ask: _Asking) -> Positions:
        """Return the ends. Retries while a partition has no leader, as just after its topic was created."""

        async def attempt() -> Positions:
            try:
                return await ask(self._ends)
            except LogUnavailable:
                await ask.anew()  # a consumer caches the metadata of partitions for minutes
                raise

        return await retrying(attempt, replace(_ASK_AGAIN, within_s=self._reply_s), (LogUnavailable,))

    def _ends(self, consumer: Consumer) -> Positions:
        asked = [Place(self._name, partition, OFFSET_END) for partition in range(self._partitions)]
        found = consumer.offsets_for_times(asked, timeout=self._reply_s)
        for place in found:
            if place.error is not None:
                raise KafkaException(place.error)
        return Positions(
            {TopicPartition(KEYS.name, place.partition): place.offset for place in found if place.offset > 0}
        )


class KafkaKeptTopic(KafkaKeptReader):
    """The KeptTopic port on Kafka. `publisher` appends; `ids` issues the records' ids, which no reader uses."""

    def __init__(
        self, servers: str, partitions: int, publisher: Publisher, ids: HybridClock, *, prefix: str = ""
    ) -> None:
        super().__init__(servers, partitions, prefix=prefix)
        self._publisher = publisher
        self._ids = ids

    async def publish(self, kept: Sequence[Kept]) -> Positions:
        """Append records and return the positions just past them. Raises LogUnavailable."""
        records = [outgoing(one, EventId(self._ids.issue()), self._ids.now()) for one in kept]
        return await self._publisher.publish(records)

    async def tick(self) -> None:
        """Append a record to each partition. Kafka then closes segments older than `segment.ms`, and can compact them.

        Raises LogUnavailable.
        """
        numbers: dict[int, Tick] = {}
        for number in count():
            tick = Tick(number)
            numbers.setdefault(partition_of(tick.key, self._partitions), tick)
            if len(numbers) == self._partitions:
                break
        await self.publish(list(numbers.values()))


class _Asking:
    """A consumer that is called in one thread of its own, for the time of one read."""

    def __init__(self, servers: str) -> None:
        self._pool = ThreadPoolExecutor(1, "kafka-keys")
        self._settings = {
            "bootstrap.servers": servers,
            "client.id": "minitwitter",
            "group.id": "minitwitter-reader",  # librdkafka requires one; it neither joins nor commits
            "enable.auto.commit": False,
            "enable.partition.eof": True,
            "auto.offset.reset": "earliest",
        }
        self._consumer: Consumer | None = None

    async def __aenter__(self) -> _Asking:
        return self

    async def __call__(self, ask: Callable[[Consumer], T]) -> T:
        try:
            return await asyncio.get_running_loop().run_in_executor(self._pool, self._run, ask)
        except KafkaException as error:
            raise LogUnavailable(f"Kafka does not answer for topic {KEYS.name}: {error.args[0].str()}") from None

    def _run(self, ask: Callable[[Consumer], T]) -> T:
        if self._consumer is None:
            self._consumer = Consumer(self._settings, logger=_log)
        return ask(self._consumer)

    async def anew(self) -> None:
        """Replace the consumer by a new one."""
        await asyncio.get_running_loop().run_in_executor(self._pool, self._close)

    async def __aexit__(self, *exc: object) -> None:
        await self.anew()
        self._pool.shutdown()

    def _close(self) -> None:
        if self._consumer is not None:
            self._consumer.close()
            self._consumer = None


def _passed(message: Message) -> tuple[TopicPartition | None, int]:
    """Return the message's partition, and the position just past the message.

    None and 0 if the message is an error that names no end of a partition; the error is logged.
    """
    partition, offset, error = message.partition(), message.offset(), message.error()
    if partition is None or offset is None or (error is not None and error.code() != KafkaError._PARTITION_EOF):
        if error is not None:
            _log.info("kafka: %s", error.str())
        return None, 0
    return TopicPartition(KEYS.name, partition), offset if error is not None else offset + 1


def _kept(message: Message) -> list[Kept]:
    try:
        return [read(message.key(), message.value())]
    except ValueError as error:
        where = f"{message.topic()}-{message.partition()}@{message.offset()}"
        _log.warning("%s is skipped, because minitwitter did not write it: %s", where, error)
        return []
