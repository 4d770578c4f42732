"""The EventLog port on Kafka: reading by a consumer without a group, appending through the publisher.

A reader fetches ahead of its caller. A caller that goes on where it stopped is answered from the fetched records; a
caller that asks for another position makes the reader fetch again (50 ms). So each processor has a reader of its own.

Kafka shows a record once all in-sync replicas have it, never before. Appending guarantees less than a log with
transactions does: see `KafkaLog.append` and docs/adr/0010-kafka-log.md.
"""

from __future__ import annotations

import asyncio
import logging
import time
from collections import deque
from collections.abc import Collection, Iterable, Mapping, Sequence
from dataclasses import replace
from operator import methodcaller
from typing import Any, TypeVar, cast

from confluent_kafka import OFFSET_END, Consumer, KafkaError, KafkaException, Message
from confluent_kafka import TopicPartition as Place

from ..codec import Codec
from ..event import BY_CLASS
from ..ids import Millis
from ..keys import Keys
from ..log import LogUnavailable, New, Positions, Record, StoredRecord, TopicPartition
from ..publishing import Publisher, outgoing
from ..retries import Backoff, retrying
from .owned_consumer import OwnedConsumer
from .records import Headers, opened, shown, stored

T = TypeVar("T")

_client = logging.getLogger("librdkafka")
_AHEAD = 4096
"""Records taken from the consumer at once, so that a partition with many fetched records does not delay the others."""
_PULL_S = 0.1
_ASK_AGAIN = Backoff((0.05,))


class _Fetched:
    """The fetched records of a partition that the caller has not read: all from `start` on, before `next`."""

    __slots__ = ("messages", "next", "start")

    def __init__(self) -> None:
        self.messages: deque[Message] = deque()
        self.start = self.next = 0

    def age(self) -> int:
        """Return when the first record was appended, in milliseconds."""
        return self.messages[0].timestamp()[1]

    def goes_on_at(self, position: int) -> bool:
        """Drop the records before a position. Return False if the partition must be fetched again from the position."""
        if not self.start <= position <= self.next:
            self.messages.clear()
            self.start = self.next = position
            return False
        self.start = position
        while self.messages and _offset(self.messages[0]) < position:
            self.messages.popleft()
        return True

    def add(self, message: Message) -> None:
        """Add a record, unless it was added before."""
        offset = _offset(message)
        if offset >= self.next:
            self.messages.append(message)
            self.next = offset + 1

    def ends_at(self, end: int) -> None:
        """Note that no record before `end` is missing here: compaction may have removed the last records of the
        partition.
        """
        self.next = max(self.next, end)

    def take(self, number: int) -> list[Message]:
        """Remove the first `number` records and return them."""
        taken = [self.messages.popleft() for _ in range(min(number, len(self.messages)))]
        if taken:
            self.start = _offset(taken[-1]) + 1
        return taken


class KafkaLogReader:
    """The LogReader port on Kafka. `partitions` is the number of partitions of each topic to read.

    If Kafka does not answer within `reply_s`, calls raise LogUnavailable. `wait` polls the ends of the partitions every
    `poll_s` seconds: one request to each broker (1.2 ms for 28 partitions), shared by all callers that wait.
    """

    def __init__(
        self,
        servers: str,
        partitions: Mapping[str, int],
        codec: Codec,
        keys: Keys,
        *,
        prefix: str = "",
        reply_s: float = 10.0,
        poll_s: float = 0.02,
    ) -> None:
        self.codec = codec
        self.keys = keys
        self.places = [TopicPartition(topic, n) for topic, number in partitions.items() for n in range(number)]
        self._partitions = dict(partitions)
        self._prefix = prefix
        self._reply_s = reply_s
        self._poll_s = poll_s
        self._turn = asyncio.Lock()
        self._fetched = {place: _Fetched() for place in self.places}
        self._assigned: frozenset[TopicPartition] = frozenset()
        self._asking_ends: asyncio.Task[Positions] | None = None
        settings: dict[str, Any] = {
            "bootstrap.servers": servers,
            "client.id": "minitwitter",
            "group.id": "minitwitter-reader",  # librdkafka requires one; it neither joins nor commits
            "enable.auto.commit": False,
            "enable.partition.eof": True,
            "auto.offset.reset": "earliest",  # if retention has removed the requested offset
            "fetch.wait.max.ms": 50,  # a newly assigned partition waits for the fetch in progress
            "fetch.queue.backoff.ms": 20,
            "max.partition.fetch.bytes": 262_144,
            "queued.max.messages.kbytes": 32_768,
            "reconnect.backoff.ms": 50,
            "reconnect.backoff.max.ms": 500,
        }
        self._reading = OwnedConsumer(settings, "kafka-reading")
        self._ends = OwnedConsumer(settings, "kafka-ends")

    def keep_to(self, places: Collection[TopicPartition]) -> None:
        """Read only these partitions from now on."""
        self.places = [place for place in self.places if place in places]

    async def close(self) -> None:
        """Close the consumers and end their threads."""
        if self._asking_ends is not None:
            self._asking_ends.cancel()
        await self._reading.close()
        await self._ends.close()

    async def ends(self) -> Positions:
        """Return the end of each partition. Raises LogUnavailable."""

        async def attempt() -> Positions:
            try:
                return await self._ends(self._ask_ends)
            except KafkaException as error:
                if error.args[0].code() == KafkaError._UNKNOWN_PARTITION:
                    # A starting broker may answer this. The consumer would cache the answer for 15 minutes.
                    await self._ends.anew()
                raise

        # The leader of a partition may be changing.
        backoff = replace(_ASK_AGAIN, within_s=self._reply_s)
        try:
            return await retrying(attempt, backoff, (KafkaException,))
        except KafkaException as error:
            raise LogUnavailable(f"Kafka does not return the end of the log: {error.args[0].str()}") from None

    def _ask_ends(self, consumer: Consumer) -> Positions:
        asked = [Place(self._prefix + place.topic, place.partition, OFFSET_END) for place in self.places]
        ends = Positions()
        for place, end in zip(self.places, consumer.offsets_for_times(asked, timeout=self._reply_s), strict=True):
            if end.error is not None:
                raise KafkaException(end.error)
            if end.offset > 0:
                ends[place] = end.offset
        return ends

    async def at_time(self, time: Millis) -> Positions:
        """Return the offset of each partition's first record that was appended at `time` or later. Raises
        LogUnavailable.
        """
        asked = [Place(self._prefix + place.topic, place.partition, time) for place in self.places]
        try:
            found = await self._ends(lambda consumer: consumer.offsets_for_times(asked, timeout=self._reply_s))
        except KafkaException as error:
            raise LogUnavailable(f"Kafka does not return the offsets of a time: {error.args[0].str()}") from None
        ends = await self.ends()
        return Positions(
            (place, at.offset if at.offset >= 0 else ends.get(place, 0))
            for place, at in zip(self.places, found, strict=True)
        )

    async def wait(self, after: Mapping[TopicPartition, int], timeout: float) -> bool:
        """Wait until there is a record past `after`; return False after `timeout` seconds. Raises LogUnavailable."""
        deadline = time.monotonic() + timeout
        while True:
            if any(end > after.get(place, 0) for place, end in (await self._ends_for_all()).items()):
                return True
            remaining = deadline - time.monotonic()
            if remaining <= 0:
                return False
            await asyncio.sleep(min(remaining, self._poll_s))

    async def _ends_for_all(self) -> Positions:
        """Return the ends, with one request for all callers that ask at the same time."""
        if self._asking_ends is None or self._asking_ends.done():
            self._asking_ends = asyncio.ensure_future(self.ends())
            self._asking_ends.add_done_callback(_look_at)
        return await asyncio.shield(self._asking_ends)

    async def read(
        self, after: Mapping[TopicPartition, int], limit: int, topics: Iterable[str] | None = None
    ) -> list[Record]:
        """Return up to `limit` records past `after`, a fair share of each partition that has some.

        The list is empty only if there is no record past `after`. A record that cannot be read has a `fault`. Raises
        LogUnavailable.
        """
        return await opened(await self.read_stored(after, limit, topics), self.codec, self.keys)

    async def read_stored(
        self, after: Mapping[TopicPartition, int], limit: int, topics: Iterable[str] | None = None
    ) -> list[StoredRecord]:
        """Return the same records as `read`, still encoded and sealed. Raises LogUnavailable."""
        wanted = frozenset(topics) if topics is not None else None
        places = [place for place in self.places if wanted is None or place.topic in wanted]
        async with self._turn:
            try:
                messages = await self._messages(places, after, limit)
            except BaseException:
                self._assigned = frozenset()  # the thread's last fetch is lost: assign again, which fetches it again
                raise
        return [
            stored(
                _topic(message).removeprefix(self._prefix),
                _partition(message),
                _offset(message),
                message.key(),
                message.value(),
                _headers(message),
                self._partitions[_topic(message).removeprefix(self._prefix)],
            )
            for message in messages
        ]

    async def _messages(
        self, places: Sequence[TopicPartition], after: Mapping[TopicPartition, int], limit: int
    ) -> list[Message]:
        if not places:
            return []
        goes_on = [self._fetched[place].goes_on_at(after.get(place, 0)) for place in places]
        if not all(goes_on) or self._assigned != frozenset(places):
            await self._assign(places)
        if sum(len(self._fetched[place].messages) for place in places) < limit:
            await self._pull(0)
        if not any(self._fetched[place].messages for place in places):
            await self._arrival(places)
        return _share([self._fetched[place] for place in places], limit)

    async def _arrival(self, places: Sequence[TopicPartition]) -> None:
        """Wait until the first record arrives. Return at once if the partitions have no record to fetch."""
        ends = await self.ends()
        deadline = time.monotonic() + self._reply_s
        while not any(self._fetched[place].messages for place in places):
            if all(ends.get(place, 0) <= self._fetched[place].next for place in places):
                return
            if time.monotonic() > deadline:
                raise LogUnavailable(f"Kafka has sent nothing for {self._reply_s:g} s")
            await self._pull(_PULL_S)

    async def _assign(self, places: Sequence[TopicPartition]) -> None:
        """Fetch these partitions and no others, each from the end of its buffer."""
        assigned = [Place(self._prefix + place.topic, place.partition, self._fetched[place].next) for place in places]
        await self._reading(lambda consumer: consumer.assign(assigned))
        self._assigned = frozenset(places)

    async def _pull(self, seconds: float) -> None:
        """Take in the records that have arrived; if there are none, wait `seconds` for one."""

        def pull(consumer: Consumer) -> list[Message]:
            messages = consumer.consume(_AHEAD, 0)
            if not messages and seconds:
                messages = consumer.consume(1, seconds) + consumer.consume(_AHEAD, 0)
            return messages

        for message in await self._reading(pull):
            error = message.error()
            if error is None:
                self._of(message).add(message)
            elif error.code() == KafkaError._PARTITION_EOF:
                self._of(message).ends_at(_offset(message))
            else:
                # The leader of a partition may be changing. If the error stays, `read` gives up.
                _client.warning("reading: %s", error.str())

    def _of(self, message: Message) -> _Fetched:
        return self._fetched[TopicPartition(_topic(message).removeprefix(self._prefix), _partition(message))]


class KafkaLog(KafkaLogReader):
    """The EventLog port on Kafka."""

    def __init__(
        self,
        servers: str,
        partitions: Mapping[str, int],
        codec: Codec,
        keys: Keys,
        publisher: Publisher,
        *,
        prefix: str = "",
        reply_s: float = 10.0,
    ) -> None:
        super().__init__(servers, partitions, codec, keys, prefix=prefix, reply_s=reply_s)
        self.publisher = publisher

    async def append(self, records: Sequence[New]) -> Positions:
        """Append in order per entity, durably; return the positions just past the records.

        Everything is sealed and encoded before the first record is sent, so an event that cannot be encoded leaves
        nothing in the log. If LogUnavailable is raised, the log may have some of the records, in order and without gaps
        within an entity. Appending all of them again makes copies of these records, which change nothing (law 4).
        """
        subjects = set()
        for new in records:
            subject = self.codec.subject(new.event)
            if subject is not None:
                if BY_CLASS[type(new.event)].opens_subject:
                    await self.keys.create(subject)
                subjects.add(subject)
        await shown(subjects, self.keys)
        return await self.publisher.publish([outgoing(new, self.codec) for new in records])


def _look_at(asked: asyncio.Task[Positions]) -> None:
    """Read the error of a finished request, so that asyncio does not log it if all callers are gone."""
    if not asked.cancelled():
        asked.exception()


def _share(fetched: Iterable[_Fetched], limit: int) -> list[Message]:
    """Take up to `limit` records, an equal share of each partition, from the one with the oldest record first."""
    some = sorted((one for one in fetched if one.messages), key=_Fetched.age)
    taken: list[Message] = []
    while some and len(taken) < limit:
        share = max(1, (limit - len(taken)) // len(some))
        for one in some:
            taken += one.take(min(share, limit - len(taken)))
        some = [one for one in some if one.messages]
    return taken


def _offset(message: Message) -> int:
    offset = message.offset()
    assert offset is not None
    return offset


def _partition(message: Message) -> int:
    partition = message.partition()
    assert partition is not None
    return partition


def _topic(message: Message) -> str:
    topic = message.topic()
    assert topic is not None
    return topic


_given_headers = methodcaller("headers")


def _headers(message: Message) -> Headers:
    """Return the headers of a record; none if a header's name is not UTF-8.

    In that case confluent-kafka 2.16 returns a list with null pointers and sets an exception as well. Python's
    specialised call of `message.headers()` does not check for the exception, and the process crashes; `methodcaller`
    always checks.
    """
    try:
        return cast(Headers, _given_headers(message) or [])
    except (SystemError, UnicodeDecodeError):
        return []
