"""Ask Kafka for the ends of the log, for times of records and for members of groups, without reading events.

Status commands use it. Each call uses a consumer of its own in a thread, so nothing stays open. Kafka's messages to the
standard error are left out.
"""

from __future__ import annotations

import asyncio
import logging
import time
import warnings
from collections.abc import Callable, Iterable, Mapping, Sequence
from typing import Any, TypeVar

from confluent_kafka import OFFSET_END, Consumer, KafkaError, KafkaException
from confluent_kafka import TopicPartition as Place
from confluent_kafka.admin import AdminClient

from ..ids import Millis
from ..log import LogUnavailable, NotSetUp, Positions, TopicPartition

T = TypeVar("T")

_NO_TOPIC = (KafkaError.UNKNOWN_TOPIC_OR_PART, KafkaError._UNKNOWN_TOPIC, KafkaError._UNKNOWN_PARTITION)
"""Kafka answers that a topic or a partition does not exist."""
_SILENT = logging.getLogger("minitwitter.kafka.looking")
_SILENT.addHandler(logging.NullHandler())
_SILENT.propagate = False


class KafkaMembers:
    """Counts the members of consumer groups. `prefix` stands before the groups' names.

    It uses a deprecated call. Its replacement aborted the process if a broker was killed during the call and came back
    (librdkafka 2.16, an assertion in rdkafka_queue.h).
    """

    def __init__(self, servers: str, groups: Iterable[str], *, prefix: str = "", reply_s: float = 3.0) -> None:
        self._ids = {f"{prefix}{group}": group for group in groups}
        self._reply_s = reply_s
        settings: dict[str, Any] = {"bootstrap.servers": servers, "error_cb": lambda error: None}
        self._admin = AdminClient(settings, logger=_SILENT)

    async def count(self) -> dict[str, int]:
        """Return the number of members of each group; 0 for a group that Kafka does not know. Raises LogUnavailable."""
        return await asyncio.to_thread(self._count)

    def _count(self) -> dict[str, int]:
        try:
            with warnings.catch_warnings():
                warnings.simplefilter("ignore", DeprecationWarning)
                asked = {id_: self._admin.list_groups(id_, timeout=self._reply_s) for id_ in self._ids}
        except KafkaException as error:
            raise LogUnavailable(f"Kafka does not answer: {error.args[0].str()}") from None
        return {self._ids[id_]: sum(len(group.members) for group in found) for id_, found in asked.items()}


class KafkaLook:
    """Reads ends and times of some partitions; `prefix` stands before topic names. Raises LogUnavailable, NotSetUp."""

    def __init__(
        self, servers: str, places: Sequence[TopicPartition], *, prefix: str = "", reply_s: float = 3.0
    ) -> None:
        self._servers = servers
        self._places = places
        self._prefix = prefix
        self._reply_s = reply_s

    async def ends(self) -> Positions:
        """Return the end of each partition."""
        return await self._ask(self._ends)

    async def appended_at(self, at: Mapping[TopicPartition, int]) -> dict[TopicPartition, Millis]:
        """Return when the record at each offset was appended; if it was removed, when the next record was."""
        return await self._ask(lambda consumer: self._appended_at(consumer, at)) if at else {}

    async def _ask(self, ask: Callable[[Consumer], T]) -> T:
        return await asyncio.to_thread(self._with_a_consumer, ask)

    def _with_a_consumer(self, ask: Callable[[Consumer], T]) -> T:
        settings: dict[str, Any] = {
            "bootstrap.servers": self._servers,
            "client.id": "minitwitter-status",
            "group.id": "minitwitter-status",  # librdkafka requires one; it neither joins nor commits
            "enable.auto.commit": False,
            "auto.offset.reset": "earliest",
            "error_cb": lambda error: None,
        }
        consumer = Consumer(settings, logger=_SILENT)
        try:
            return ask(consumer)
        except KafkaException as error:
            if error.args[0].code() in _NO_TOPIC:
                raise NotSetUp("topics are missing: `minitwitter topics apply` creates them") from None
            raise LogUnavailable(f"Kafka does not answer: {error.args[0].str()}") from None
        finally:
            consumer.close()

    def _ends(self, consumer: Consumer) -> Positions:
        asked = [Place(self._prefix + place.topic, place.partition, OFFSET_END) for place in self._places]
        ends = Positions()
        for place, end in zip(self._places, consumer.offsets_for_times(asked, timeout=self._reply_s), strict=True):
            if end.error is not None:
                raise KafkaException(end.error)
            if end.offset > 0:
                ends[place] = end.offset
        return ends

    def _appended_at(self, consumer: Consumer, at: Mapping[TopicPartition, int]) -> dict[TopicPartition, Millis]:
        consumer.assign([Place(self._prefix + place.topic, place.partition, offset) for place, offset in at.items()])
        found: dict[TopicPartition, Millis] = {}
        deadline = time.monotonic() + self._reply_s
        while len(found) < len(at) and (left := deadline - time.monotonic()) > 0:
            message = consumer.poll(left)
            if message is None or message.error() is not None:
                continue
            topic, partition, (_, appended) = message.topic(), message.partition(), message.timestamp()
            if topic is None or partition is None:
                continue
            found.setdefault(TopicPartition(topic.removeprefix(self._prefix), partition), Millis(appended))
            consumer.pause([Place(topic, partition)])
        return found
