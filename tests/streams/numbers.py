"""A topic of numbers on a real Kafka, and a sink that stores what a Faust worker hands over."""

from __future__ import annotations

import itertools
import uuid
from collections.abc import Awaitable, Callable
from typing import cast

from aiokafka.structs import ConsumerRecord
from confluent_kafka import Producer
from confluent_kafka.admin import AdminClient
from confluent_kafka.cimpl import NewTopic

from events.log import Positions
from streams.faust_worker import Decode, FaustWorker, Hosted

PARTITIONS = 4
SOON = 60
SESSION_S = 1.5


class Sink:
    """The processors in these tests: a sink that stores its records and positions."""

    name = "serving"
    topics = frozenset(("tweets",))

    def __init__(self) -> None:
        self.applied = Positions()
        self.values: list[int] = []
        self.batches: list[int] = []
        self.before: Callable[[list[int]], object] = lambda records: None

    async def positions(self) -> Positions:
        return Positions(self.applied)

    async def apply(self, records: list[int], positions: Positions) -> None:
        self.before(records)
        self.values += records
        self.batches.append(len(records))
        for place, position in positions.items():
            self.applied[place] = max(position, self.applied.get(place, 0))


async def decode(messages: list[ConsumerRecord]) -> list[int]:
    return [int(message.value) for message in messages]


class Topic:
    """A topic of one test."""

    def __init__(self, brokers: str) -> None:
        self.brokers = brokers.removeprefix("kafka://")
        self.prefix = f"test-{uuid.uuid4().hex[:8]}-"
        self._numbers = itertools.count()
        admin = AdminClient({"bootstrap.servers": self.brokers})
        for created in admin.create_topics([NewTopic(f"{self.prefix}tweets", PARTITIONS, 1)]).values():
            created.result()
        self._producer = Producer({"bootstrap.servers": self.brokers})

    def append(self, number: int) -> list[int]:
        """Append numbers to the partitions in turn, and return them."""
        numbers = list(itertools.islice(self._numbers, number))
        for n in numbers:
            self._producer.produce(f"{self.prefix}tweets", str(n).encode(), partition=n % PARTITIONS)
        assert self._producer.flush(SOON) == 0
        return numbers

    def worker(
        self, sink: Sink, session_s: float = SESSION_S, idle: Callable[[], Awaitable[bool]] | None = None
    ) -> FaustWorker:
        hosted = cast(Hosted, sink)  # a worker only passes records on, and here these are numbers
        brokers, prefix = self.brokers, self.prefix
        return FaustWorker(
            hosted, cast(Decode, decode), brokers=brokers, prefix=prefix, session_s=session_s, batch=50, idle=idle
        )
