"""The Faust worker: hosts processors on Kafka, in batches, at least once.

Faust assigns partitions to workers, fetches ahead and keeps the worker in its group. The processors themselves apply a
batch and store the positions. The group's committed offsets only serve tools that show lag: on every assignment a
worker reads on from the positions in its sink. The offsets can be ahead of these if a sink was restored from a backup,
and behind them if a worker died between the two.

A batch has the messages that came since the last one: few when there is little load, many when the stores are slow.
faust_overrides.py has the parts of Faust that are replaced for this.

Faust's tables and `exactly_once` are not used: state is in sinks, and with law 4 at-least-once delivery is enough. Nor
is an agent used, because Faust would restart it behind a batch that failed: an error ends the worker.
"""

from __future__ import annotations

import asyncio
import time
from collections.abc import Awaitable, Callable, Collection, Mapping, Sequence
from typing import Any, Protocol

from faust.transport.drivers import aiokafka
from faust.types import TP

from events.log import LogUnavailable, Positions, Record, TopicPartition
from events.retries import ENGINE, retrying

from .faust_overrides import App, Consumer, Message

IDLE_S = 0.5
"""The time between two calls of `idle`, in seconds."""
MEND_S = 1.0
"""The time between two calls of `mend`, in seconds."""
EVERY_S = 0.05
"""The shortest time between the beginnings of two batches. After a rest the first message does not wait."""
_READ_AHEAD = 4
"""The number of full batches that may wait; then the consumer waits (back-pressure)."""
_LAST_BATCH_S = 5.0
"""How long a stopping worker waits for its present batch."""


class Hosted(Protocol):
    """The processors that a worker hosts. They share positions."""

    name: str
    topics: frozenset[str]

    async def positions(self) -> Positions:
        """Return the positions that the durable effects have reached. Raises the worker's `unavailable` errors."""
        ...

    async def apply(self, records: Sequence[Record], positions: Positions) -> object:
        """Apply one batch and store the positions at its end. It is retried after one of the `unavailable` errors."""
        ...

    async def close(self) -> None:
        """Release its resources. The code that created it calls this after its worker has ended."""
        ...


Decode = Callable[[Sequence[Message]], Awaitable[list[Record]]]
"""Decodes messages to records and opens their sealed fields."""


OnAdvance = Callable[[Positions, Positions, Sequence[Record]], None]
"""Called after a batch was applied: the positions before it, the positions after it, and its records."""


class FaustWorker:
    """One member of the consumer group that runs `hosted`. `brokers` is a comma-separated list of HOST:PORT.

    `prefix` stands before the names of topics and of the group. `unavailable` are the errors of an unavailable store:
    the batch is retried without limit, and `detail` has the message. Any other error ends `run` with that error.

    `idle` does work that no message causes, for example trends of ended windows, and returns whether there was any. If
    so it is called again at once, else after IDLE_S. It is called between batches, only in the member with the first
    partition of the first topic; during a rebalance there can be two of these. `mend` is called between batches every
    MEND_S, in every member, with its assigned partitions.
    """

    def __init__(
        self,
        hosted: Hosted,
        decode: Decode,
        *,
        brokers: str,
        prefix: str = "",
        unavailable: tuple[type[Exception], ...] = (LogUnavailable,),
        batch: int = 500,
        every_s: float = EVERY_S,
        session_s: float = 10.0,
        on_advance: OnAdvance = lambda start, end, records: None,
        idle: Callable[[], Awaitable[bool]] | None = None,
        mend: Callable[[frozenset[TopicPartition]], Awaitable[None]] | None = None,
    ) -> None:
        self._hosted = hosted
        self._decode = decode
        self._prefix = prefix
        self._unavailable = unavailable
        self._batch = batch
        self._every_s = every_s
        self._begun = float("-inf")
        self._on_advance = on_advance
        self._idle = idle
        self._mend = mend
        self._first = TopicPartition(min(hosted.topics), 0)
        self._turn = asyncio.Lock()
        self._failed: asyncio.Future[None] | None = None
        self._stopping = False
        self.detail = "it joins its group in Kafka: no partitions are assigned yet"
        """The reason why the worker makes no progress; empty if it does."""
        self.assigned: frozenset[TopicPartition] = frozenset()
        self.reached = Positions()
        """The position of each assigned partition."""
        self.on_assigned: Callable[[], None] = lambda: None
        """Called after each rebalance."""
        self._app = App(
            f"{prefix}{hosted.name}",
            broker=";".join(f"kafka://{broker}" for broker in brokers.split(",")),
            store="memory://",
            autodiscover=False,
            web_enabled=False,
            topic_disable_leader=True,
            topic_allow_declare=False,
            key_serializer="raw",
            value_serializer="raw",
            consumer_auto_offset_reset="earliest",
            broker_session_timeout=session_s,
            broker_heartbeat_interval=session_s / 4,
            broker_commit_interval=1.0,
            stream_wait_empty=False,
        )
        self._topics = [prefix + topic for topic in sorted(hosted.topics)]
        self._fetched: list[Message] = []
        self._beginnings = 0
        """The number of assignments. A batch that was taken before an assignment is not applied after it."""
        self._changed = asyncio.Condition()
        self._applied: dict[TP, int] = {}
        own = {
            "starts": staticmethod(self._starts),
            "hand_over": staticmethod(self._hand_over),
            "applied": self._applied,
            "first_of_all": {},
        }
        consumer = type("Consumer", (Consumer,), own)
        self._app.transport = type("Transport", (aiokafka.Transport,), {"Consumer": consumer})(
            self._app.conf.broker_consumer, self._app
        )

    async def run(self) -> None:
        """Work until `stop`. Raises the processors' errors, except the `unavailable` errors."""
        self._failed = asyncio.get_running_loop().create_future()
        self._app.finalize()
        self._app.topics.add(self._app.topic(*self._topics))
        try:
            await self._app.start()
        except BaseException:
            await self._app.stop()
            raise
        crashed = asyncio.ensure_future(self._app.wait_until_stopped())
        projecting = asyncio.ensure_future(self._project())
        idling = asyncio.ensure_future(self._idle_until(crashed))
        mending = asyncio.ensure_future(self._mend_until(crashed))
        try:
            await asyncio.wait((self._failed, crashed), return_when=asyncio.FIRST_COMPLETED)
        finally:
            await self._end(projecting)
            await self._app.stop()
            await asyncio.gather(crashed, idling, mending, return_exceptions=True)
        if self._failed.done():
            self._failed.result()
        crash = self._app.crash_reason
        if crash is not None and not self._stopping:
            raise crash

    @property
    def generation(self) -> int:
        """The generation of the group: the number of rebalances that this member knows of."""
        return int(self._app.consumer_generation_id)

    def stop(self) -> None:
        """Finish the present batch and leave the group."""
        self._stopping = True
        if self._failed is not None and not self._failed.done():
            self._failed.set_result(None)

    async def _end(self, projecting: asyncio.Future[None]) -> None:
        """Wait for the present batch, but only for a short time, because a store may be unavailable."""
        try:
            async with asyncio.timeout(_LAST_BATCH_S), self._turn:
                projecting.cancel()
        except TimeoutError:
            projecting.cancel()
        await asyncio.wait((projecting,))

    async def _starts(self, assigned: Collection[TP]) -> Mapping[TP, int]:
        async def attempt() -> Positions:
            async with self._turn:
                positions = await self._hosted.positions()
                self._beginnings += 1  # the sink may be behind the fetched messages: applying them would leave a hole
                self._fetched = []
                return positions

        positions = await self._persist(attempt)
        places = {tp: TopicPartition(tp.topic.removeprefix(self._prefix), tp.partition) for tp in assigned}
        self.assigned = frozenset(places.values())
        self.reached = Positions((place, positions.get(place, 0)) for place in self.assigned)
        self.on_assigned()
        return {tp: positions.get(place, 0) for tp, place in places.items()}

    async def _hand_over(self, messages: list[Message]) -> None:
        """Take fetched messages from the consumer, and wait while too many are queued (back-pressure).

        If there are few messages, wait `every_s` for more: each fetch asks for every partition, so a fetch per message
        would cost more than applying it.
        """
        async with self._changed:
            self._fetched += messages
            self._changed.notify_all()
        if len(messages) < self._batch:
            await asyncio.sleep(self._every_s)
        async with self._changed:
            await self._changed.wait_for(lambda: len(self._fetched) < _READ_AHEAD * self._batch)

    async def _take(self) -> list[Message]:
        """Return the messages since the last batch, `batch` at most, not sooner than `every_s` after it began."""
        async with self._changed:
            await self._changed.wait_for(lambda: self._fetched)
        wait = self._begun + self._every_s - time.monotonic()
        if wait > 0 and len(self._fetched) < self._batch:
            await asyncio.sleep(wait)
        self._begun = time.monotonic()
        async with self._changed:
            taken, self._fetched = self._fetched[: self._batch], self._fetched[self._batch :]
            self._changed.notify_all()
        return taken

    async def _project(self) -> None:
        try:
            while True:
                if messages := await self._take():  # empty if a new assignment dropped the messages meanwhile
                    await self._apply(messages)
        except Exception as error:
            if self._failed is not None and not self._failed.done():
                self._failed.set_exception(error)

    async def _idle_until(self, crashed: asyncio.Future[Any]) -> None:
        """Call `idle` until the worker ends or crashes."""
        assert self._failed is not None
        told = False
        while self._idle is not None and not self._failed.done() and not crashed.done():
            more = False
            if self._first in self.assigned:
                try:
                    async with self._turn:
                        more = await self._idle()
                    self.detail, told = "" if told else self.detail, False
                except self._unavailable as error:
                    self.detail, told = str(error), True
                except Exception as error:
                    if not self._failed.done():
                        self._failed.set_exception(error)
            if not more:
                await asyncio.wait((self._failed, crashed), timeout=IDLE_S, return_when=asyncio.FIRST_COMPLETED)

    async def _mend_until(self, crashed: asyncio.Future[Any]) -> None:
        """Call `mend` until the worker ends or crashes. If a store is unavailable, try again at the next call."""
        assert self._failed is not None
        while self._mend is not None and not self._failed.done() and not crashed.done():
            if self.assigned:
                try:
                    async with self._turn:
                        await self._mend(self.assigned)
                except self._unavailable:
                    pass  # retried; if batches fail for the same reason, `detail` says so
                except Exception as error:
                    if not self._failed.done():
                        self._failed.set_exception(error)
            await asyncio.wait((self._failed, crashed), timeout=MEND_S, return_when=asyncio.FIRST_COMPLETED)

    async def _apply(self, messages: Sequence[Message]) -> None:
        start, end = Positions(), Positions()
        for message in messages:
            place = TopicPartition(message.topic.removeprefix(self._prefix), message.partition)
            start[place] = min(start.get(place, message.offset), message.offset)
            end[place] = max(end.get(place, 0), message.offset + 1)

        taken = self._beginnings

        async def attempt() -> list[Record] | None:
            records = await self._decode(messages)
            async with self._turn:
                if self._beginnings != taken:
                    return None
                await self._hosted.apply(records, end)
            return records

        records = await self._persist(attempt)
        if records is None:
            return
        self._applied.update((TP(self._prefix + place.topic, place.partition), offset) for place, offset in end.items())
        self.reached.update((place, offset) for place, offset in end.items() if place in self.reached)
        self._on_advance(start, end, records)

    async def _persist(self, attempt: Callable[[], Awaitable[Any]]) -> Any:
        """Retry `attempt` until no store is unavailable, and return its result."""

        def failed(error: Exception) -> None:
            self.detail = str(error)

        result = await retrying(attempt, ENGINE, self._unavailable, failed=failed)
        self.detail = ""
        return result
