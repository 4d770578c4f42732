"""The KeptTopic port on Kafka: the compacted topic `keys`.

It is read whole, from a position to its end, when a database lacks something: by a consumer of its own, 50 ms and 4 us
a record. Whoever may write to it may replace keys, as whoever may write to the other topics may delete tweets.
"""

from __future__ import annotations

import asyncio
import logging
import time
from collections.abc import AsyncIterator, Callable, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from itertools import count
from typing import TypeVar

from confluent_kafka import OFFSET_END, Consumer, KafkaError, KafkaException, Message
from confluent_kafka import TopicPartition as Place

from ..ids import EventId, HybridClock
from ..kept import Batch, Kept, Tick, outgoing, read
from ..log import LogUnavailable, Positions, TopicPartition
from ..partitioning import partition_of
from ..publishing import Publisher
from ..topics import KEYS

T = TypeVar("T")

_log = logging.getLogger(__name__)
_AT_ONCE = 2_000
_PULL_S = 0.2
_RETRY_S = 0.05


class KafkaKeptReader:
    """The KeptReader port on Kafka."""

    def __init__(self, servers: str, partitions: int, *, prefix: str = "", reply_s: float = 10.0) -> None:
        self._servers = servers
        self._name = prefix + KEYS.name
        self._partitions = partitions
        self._reply_s = reply_s

    async def ends(self) -> Positions:
        """Where the partitions end now. Raises LogUnavailable."""
        async with _Asking(self._servers) as ask:
            return await self._told_ends(ask)

    async def since(self, positions: Mapping[TopicPartition, int]) -> AsyncIterator[Batch]:
        """What stands there from `positions` up to the ends as of now. Raises LogUnavailable.

        What is no such record is passed over, and named in the log.
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
                        if next_ >= left[place]:  # where the newest records were compacted away the end says so
                            del left[place]
                if messages:
                    deadline = time.monotonic() + self._reply_s
                    yield Batch(kept, Positions(reached))
                elif time.monotonic() > deadline:
                    raise LogUnavailable(f"Kafka has sent nothing of {self._name} for {self._reply_s:g} s")

    async def _told_ends(self, ask: _Asking) -> Positions:
        """The ends, asked for again while a partition has no leader, as just after its topic was made."""
        deadline = time.monotonic() + self._reply_s
        while True:
            try:
                return await ask(self._ends)
            except LogUnavailable:
                if time.monotonic() > deadline:
                    raise
            await ask.anew()  # a consumer believes for minutes what it was told of partitions
            await asyncio.sleep(_RETRY_S)

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
    """The whole port. `publisher` appends; `ids` are those of the records, which nothing goes by."""

    def __init__(
        self, servers: str, partitions: int, publisher: Publisher, ids: HybridClock, *, prefix: str = ""
    ) -> None:
        super().__init__(servers, partitions, prefix=prefix)
        self._publisher = publisher
        self._ids = ids

    async def publish(self, kept: Sequence[Kept]) -> Positions:
        """Append records. Raises LogUnavailable."""
        records = [outgoing(one, EventId(self._ids.issue()), self._ids.now()) for one in kept]
        return await self._publisher.publish(records)

    async def tick(self) -> None:
        """Append a record to each partition, after which Kafka compacts what is older than `segment.ms`.

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
    """A consumer, and the one thread that calls it, for as long as it is needed."""

    def __init__(self, servers: str) -> None:
        self._pool = ThreadPoolExecutor(1, "kafka-keys")
        self._settings = {
            "bootstrap.servers": servers,
            "client.id": "minitwitter",
            "group.id": "minitwitter-reader",  # librdkafka wants one; nothing is committed, nobody joins
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
            raise LogUnavailable(f"Kafka does not tell of its topic {KEYS.name}: {error.args[0].str()}") from None

    def _run(self, ask: Callable[[Consumer], T]) -> T:
        if self._consumer is None:
            self._consumer = Consumer(self._settings, logger=_log)
        return ask(self._consumer)

    async def anew(self) -> None:
        """Ask with another consumer from now on."""
        await asyncio.get_running_loop().run_in_executor(self._pool, self._close)

    async def __aexit__(self, *exc: object) -> None:
        await self.anew()
        self._pool.shutdown()

    def _close(self) -> None:
        if self._consumer is not None:
            self._consumer.close()
            self._consumer = None


def _passed(message: Message) -> tuple[TopicPartition | None, int]:
    """The partition that a message is of, and where it has been read to with it."""
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
        _log.warning("%s is passed over, for it is no key that minitwitter wrote: %s", where, error)
        return []
