"""The Faust worker: hosts processors on Kafka, in batches, at least once.

Faust shares the partitions out between workers, reads ahead and keeps the worker a member of the group; what is done
with a batch, and how far a partition has come, is the processors' own. The group's offsets are only for those who
watch lag: on every assignment a worker goes on from the positions that its sink holds. An offset can be ahead of those,
when a sink was restored, and behind, when a worker died between the two.

A batch is what has come since the last one: few when little happens, many when the stores are slow. What is replaced of
Faust for that is in faust_overrides.py.

Tables and `exactly_once` are left alone: state is in sinks, and law 4 makes at least once enough. There is no agent,
which Faust would start again behind a batch that failed: an error ends the worker.
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
"""How often it is asked whether there is something to do that is no message's doing."""
MEND_S = 1.0
"""How often it is asked whether an operator wants something done."""
EVERY_S = 0.05
"""How often a batch may begin: the first after a rest does not wait, and what comes soon after it shares the next."""
_READ_AHEAD = 4
"""Full batches that wait."""
_LAST_BATCH_S = 5.0
"""How long a worker that is to stop waits for the batch in hand."""


class Hosted(Protocol):
    """What a worker hosts: processors that share positions."""

    name: str
    topics: frozenset[str]

    async def positions(self) -> Positions:
        """How far the effects that are durable reach. Raises one of the worker's `away`."""
        ...

    async def apply(self, records: Sequence[Record], positions: Positions) -> object:
        """Land one batch together with the positions it ends at. Raises one of the worker's `away`; then it is tried
        again."""
        ...

    async def close(self) -> None:
        """Let go of what is its own. Called by whoever made it, when its worker has ended."""
        ...


Decode = Callable[[Sequence[Message]], Awaitable[list[Record]]]
"""Messages as records, with what is sealed opened."""


OnAdvance = Callable[[Positions, Positions, Sequence[Record]], None]
"""Told of a batch that has landed: where its partitions stood before and stand now, and its records."""


class FaustWorker:
    """One member of the group that runs `hosted`. `brokers` is HOST:PORT with commas between; topics get `prefix`.

    `away` are the errors that say that a store cannot be reached now: the batch is tried again as long as it takes,
    and `detail` says so. Any other error ends `run` with it.

    `idle` does some of what is no message's doing, and says whether there was any: then it is called again, else after
    a while. It is called between batches, in the member alone that has the first partition of the first topic; for a
    moment there can be two of those. `mend` is called likewise every MEND_S, in every member, with the
    partitions that it has.
    """

    def __init__(
        self,
        hosted: Hosted,
        decode: Decode,
        *,
        brokers: str,
        prefix: str = "",
        away: tuple[type[Exception], ...] = (LogUnavailable,),
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
        self._away = away
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
        """What keeps it from working; empty when nothing does."""
        self.assigned: frozenset[TopicPartition] = frozenset()
        self.reached = Positions()
        """Where each partition that is assigned stands."""
        self.on_assigned: Callable[[], None] = lambda: None
        """Called when partitions have been shared out."""
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
        """How often it was said where the partitions begin: what was taken before that is not landed after it."""
        self._changed = asyncio.Condition()
        self._landed: dict[TP, int] = {}
        own = {
            "starts": staticmethod(self._starts),
            "hand_over": staticmethod(self._hand_over),
            "landed": self._landed,
            "first_of_all": {},
        }
        consumer = type("Consumer", (Consumer,), own)
        self._app.transport = type("Transport", (aiokafka.Transport,), {"Consumer": consumer})(
            self._app.conf.broker_consumer, self._app
        )

    async def run(self) -> None:
        """Work until `stop`. Raises what the processors raise, other than that a store is away."""
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
        """How often the members have shared the partitions out, as far as this one knows."""
        return int(self._app.consumer_generation_id)

    def stop(self) -> None:
        """Finish the batch in hand and leave the group."""
        self._stopping = True
        if self._failed is not None and not self._failed.done():
            self._failed.set_result(None)

    async def _end(self, projecting: asyncio.Future[None]) -> None:
        """Let the batch in hand land, if it can soon: a store may be away."""
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
                self._beginnings += 1  # the sink may be behind what is at hand: landing that would leave a hole
                self._fetched = []
                return positions

        positions = await self._persist(attempt)
        places = {tp: TopicPartition(tp.topic.removeprefix(self._prefix), tp.partition) for tp in assigned}
        self.assigned = frozenset(places.values())
        self.reached = Positions((place, positions.get(place, 0)) for place in self.assigned)
        self.on_assigned()
        return {tp: positions.get(place, 0) for tp, place in places.items()}

    async def _hand_over(self, messages: list[Message]) -> None:
        """What was fetched; waits while much is not taken yet.

        And where it is little, for more of it: a fetch asks for every partition, so that one for each message would
        cost more than what is done with it.
        """
        async with self._changed:
            self._fetched += messages
            self._changed.notify_all()
        if len(messages) < self._batch:
            await asyncio.sleep(self._every_s)
        async with self._changed:
            await self._changed.wait_for(lambda: len(self._fetched) < _READ_AHEAD * self._batch)

    async def _take(self) -> list[Message]:
        """What has come since the last batch, `batch` messages at most, no sooner than `every_s` after that began."""
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
                if messages := await self._take():  # none, where it was to go on from elsewhere meanwhile
                    await self._apply(messages)
        except Exception as error:
            if self._failed is not None and not self._failed.done():
                self._failed.set_exception(error)

    async def _idle_until(self, crashed: asyncio.Future[Any]) -> None:
        """Call `idle` until the worker ends, one way or the other."""
        assert self._failed is not None
        told = False
        while self._idle is not None and not self._failed.done() and not crashed.done():
            more = False
            if self._first in self.assigned:
                try:
                    async with self._turn:
                        more = await self._idle()
                    self.detail, told = "" if told else self.detail, False
                except self._away as error:
                    self.detail, told = str(error), True
                except Exception as error:
                    if not self._failed.done():
                        self._failed.set_exception(error)
            if not more:
                await asyncio.wait((self._failed, crashed), timeout=IDLE_S, return_when=asyncio.FIRST_COMPLETED)

    async def _mend_until(self, crashed: asyncio.Future[Any]) -> None:
        """Call `mend` until the worker ends, one way or the other; where a store is away, later."""
        assert self._failed is not None
        while self._mend is not None and not self._failed.done() and not crashed.done():
            if self.assigned:
                try:
                    async with self._turn:
                        await self._mend(self.assigned)
                except self._away:
                    pass  # tried again; where it keeps batches from landing, those say so
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
        self._landed.update((TP(self._prefix + place.topic, place.partition), offset) for place, offset in end.items())
        self.reached.update((place, offset) for place, offset in end.items() if place in self.reached)
        self._on_advance(start, end, records)

    async def _persist(self, attempt: Callable[[], Awaitable[Any]]) -> Any:
        """Try until no store is away."""

        def failed(error: Exception) -> None:
            self.detail = str(error)

        result = await retrying(attempt, ENGINE, self._away, failed=failed)
        self.detail = ""
        return result
