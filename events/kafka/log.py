"""The EventLog port on Kafka: reading by a consumer without a group, appending through the publisher.

A reader keeps its place in the topics as its caller reads on: asked for what comes next it answers from what was
fetched ahead, asked for another place it starts fetching anew (50 ms). So each processor has a reader of its own.

Kafka shows a record once it stands in every in-sync copy, never before. What appending promises is less than the port
says of logs with transactions: see `KafkaLog.append` and docs/adr/0010-kafka-log.md.
"""

from __future__ import annotations

import asyncio
import logging
import time
from collections import deque
from collections.abc import Callable, Iterable, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from operator import methodcaller
from typing import Any, TypeVar, cast

from confluent_kafka import OFFSET_END, Consumer, KafkaError, KafkaException, Message
from confluent_kafka import TopicPartition as Place

from ..codec import Codec
from ..event import BY_CLASS
from ..ids import Millis
from ..keys import Keys
from ..log import LogUnavailable, New, Positions, Record, TopicPartition
from ..publishing import Publisher, outgoing
from .records import Headers, Stored, opened, shown, stored

T = TypeVar("T")

_client = logging.getLogger("librdkafka")
_AHEAD = 4096
"""Records kept ready, so that a partition of which much was fetched at once does not keep the others waiting."""
_PULL_S = 0.1
_RETRY_S = 0.05


class _Asking:
    """A consumer and the one thread that calls it; made when it is first used."""

    def __init__(self, settings: dict[str, Any], name: str) -> None:
        self._settings = settings
        self._pool = ThreadPoolExecutor(1, name)
        self._consumer: Consumer | None = None

    async def __call__(self, ask: Callable[[Consumer], T]) -> T:
        return await asyncio.get_running_loop().run_in_executor(self._pool, self._run, ask)

    def _run(self, ask: Callable[[Consumer], T]) -> T:
        if self._consumer is None:
            self._consumer = Consumer(self._settings, logger=_client)
        return ask(self._consumer)

    def _close(self) -> None:
        if self._consumer is not None:
            self._consumer.close()
            self._consumer = None

    async def anew(self) -> None:
        """Ask with another consumer from now on."""
        await asyncio.get_running_loop().run_in_executor(self._pool, self._close)

    async def close(self) -> None:
        await self.anew()
        self._pool.shutdown()


class _Fetched:
    """What was fetched of a partition and not yet asked for: all from `start` on, up to `next`."""

    __slots__ = ("messages", "next", "start")

    def __init__(self) -> None:
        self.messages: deque[Message] = deque()
        self.start = self.next = 0

    def age(self) -> int:
        """When its first record was appended, in milliseconds."""
        return self.messages[0].timestamp()[1]

    def goes_on_at(self, position: int) -> bool:
        """Drop what lies before a position; whether everything from there on is here or comes next."""
        if not self.start <= position <= self.next:
            self.messages.clear()
            self.start = self.next = position
            return False
        self.start = position
        while self.messages and _offset(self.messages[0]) < position:
            self.messages.popleft()
        return True

    def add(self, message: Message) -> None:
        """Keep a record, unless it was here already."""
        offset = _offset(message)
        if offset >= self.next:
            self.messages.append(message)
            self.next = offset + 1

    def ends_at(self, end: int) -> None:
        """There is nothing before `end` that is not here; in a compacted topic the last records can be gone."""
        self.next = max(self.next, end)

    def take(self, number: int) -> list[Message]:
        """The first `number` of them."""
        taken = [self.messages.popleft() for _ in range(min(number, len(self.messages)))]
        if taken:
            self.start = _offset(taken[-1]) + 1
        return taken


class KafkaLogReader:
    """The LogReader port on Kafka. `partitions` are those of each topic that it may read.

    `reply_s` is how long Kafka may take to answer before LogUnavailable is raised. Waiting asks every `poll_s` seconds
    where the partitions end: one request to each broker (1.2 ms for 28 partitions), for all who wait together.
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
            "group.id": "minitwitter-reader",  # librdkafka wants one; nothing is committed, nobody joins
            "enable.auto.commit": False,
            "enable.partition.eof": True,
            "auto.offset.reset": "earliest",  # where retention has removed what lies before
            "fetch.wait.max.ms": 50,  # a partition that is asked for anew waits for the fetch under way
            "fetch.queue.backoff.ms": 20,
            "max.partition.fetch.bytes": 262_144,
            "queued.max.messages.kbytes": 32_768,
            "reconnect.backoff.ms": 50,
            "reconnect.backoff.max.ms": 500,
        }
        self._reading = _Asking(settings, "kafka-reading")
        self._ends = _Asking(settings, "kafka-ends")

    async def close(self) -> None:
        """End the consumers and their threads."""
        if self._asking_ends is not None:
            self._asking_ends.cancel()
        await self._reading.close()
        await self._ends.close()

    async def ends(self) -> Positions:
        """Where each partition ends now. Raises LogUnavailable."""
        deadline = time.monotonic() + self._reply_s
        while True:
            try:
                return await self._ends(self._ask_ends)
            except KafkaException as error:
                # A partition whose leader changes just now is one reason; the next answer is a good one.
                if time.monotonic() > deadline:
                    raise LogUnavailable(f"Kafka does not say where the log ends: {error.args[0].str()}") from None
                if error.args[0].code() == KafkaError._UNKNOWN_PARTITION:
                    # A broker that is just starting may have said so. The consumer would believe it for 15 minutes.
                    await self._ends.anew()
            await asyncio.sleep(_RETRY_S)

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
        """Where each partition's first record stands that was appended at a time or later. Raises LogUnavailable."""
        asked = [Place(self._prefix + place.topic, place.partition, time) for place in self.places]
        try:
            found = await self._ends(lambda consumer: consumer.offsets_for_times(asked, timeout=self._reply_s))
        except KafkaException as error:
            raise LogUnavailable(f"Kafka does not say what stands where: {error.args[0].str()}") from None
        ends = await self.ends()
        return Positions(
            (place, at.offset if at.offset >= 0 else ends.get(place, 0))
            for place, at in zip(self.places, found, strict=True)
        )

    async def wait(self, after: Mapping[TopicPartition, int], timeout: float) -> bool:
        """Wait for something past `after`; True when there is. Raises LogUnavailable."""
        deadline = time.monotonic() + timeout
        while True:
            if any(end > after.get(place, 0) for place, end in (await self._ends_for_all()).items()):
                return True
            remaining = deadline - time.monotonic()
            if remaining <= 0:
                return False
            await asyncio.sleep(min(remaining, self._poll_s))

    async def _ends_for_all(self) -> Positions:
        """The ends, asked for once for all who want them at the same time."""
        if self._asking_ends is None or self._asking_ends.done():
            self._asking_ends = asyncio.ensure_future(self.ends())
            self._asking_ends.add_done_callback(_look_at)
        return await asyncio.shield(self._asking_ends)

    async def read(
        self, after: Mapping[TopicPartition, int], limit: int, topics: Iterable[str] | None = None
    ) -> list[Record]:
        """Up to `limit` records past `after`, of each partition that has some a fair share.

        Nothing is answered only where nothing is left; what cannot be read has a `fault`. Raises LogUnavailable.
        """
        return await opened(await self.read_stored(after, limit, topics), self.codec, self.keys)

    async def read_stored(
        self, after: Mapping[TopicPartition, int], limit: int, topics: Iterable[str] | None = None
    ) -> list[Stored]:
        """The same, still encoded and sealed. Raises LogUnavailable."""
        wanted = frozenset(topics) if topics is not None else None
        places = [place for place in self.places if wanted is None or place.topic in wanted]
        async with self._turn:
            try:
                messages = await self._messages(places, after, limit)
            except BaseException:
                self._assigned = frozenset()  # what the thread was fetching is lost: it is fetched anew
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
        """Wait for the first record of those that are there by now; return at once where there are none."""
        ends = await self.ends()
        deadline = time.monotonic() + self._reply_s
        while not any(self._fetched[place].messages for place in places):
            if all(ends.get(place, 0) <= self._fetched[place].next for place in places):
                return
            if time.monotonic() > deadline:
                raise LogUnavailable(f"Kafka has sent nothing for {self._reply_s:g} s")
            await self._pull(_PULL_S)

    async def _assign(self, places: Sequence[TopicPartition]) -> None:
        """Fetch these partitions, each from where its fetched part ends, and no others."""
        assigned = [Place(self._prefix + place.topic, place.partition, self._fetched[place].next) for place in places]
        await self._reading(lambda consumer: consumer.assign(assigned))
        self._assigned = frozenset(places)

    async def _pull(self, seconds: float) -> None:
        """Take in what has arrived; where nothing has, wait for it."""

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
                _client.warning(
                    "reading: %s", error.str()
                )  # of a partition on the move; when it stays so, `read` gives up

    def _of(self, message: Message) -> _Fetched:
        return self._fetched[TopicPartition(_topic(message).removeprefix(self._prefix), _partition(message))]


class KafkaLog(KafkaLogReader):
    """The whole port."""

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
        """Append in order per entity, durably.

        Everything is sealed and encoded before the first record is sent: an event that cannot be leaves nothing in the
        log. When LogUnavailable is raised some of the records may stand there, in order and without gaps within an
        entity; appending all of them again makes copies of those, which change nothing (law 4).
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
    """Whoever wanted the answer may have gone; then nobody else looks at its error."""
    if not asked.cancelled():
        asked.exception()


def _share(fetched: Iterable[_Fetched], limit: int) -> list[Message]:
    """Up to `limit` records: of each partition as many as of the others, of the one with the oldest record first."""
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
    """The headers of a record; none where the name of one is no UTF-8.

    There confluent-kafka 2.16 answers a list with null pointers in it, and an exception as well. `message.headers()`
    does not look for the latter once Python has specialised the call, and the process ends; this call always does.
    """
    try:
        return cast(Headers, _given_headers(message) or [])
    except (SystemError, UnicodeDecodeError):
        return []
