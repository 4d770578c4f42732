"""The private names of Faust 0.15.3 and its driver that are overridden or used, each with its reason.

A test compares a digest of the source of each overridden method and of its callers. If a new version changes one of
them, the test fails, and the reason given here says what to check again.

Private names that are used: `_read_offset` (the next offset to read of each partition, set by Faust's seeks),
`_committed_offset` (the offsets that the group knows), `_wait_next_records` (one fetch of all partitions),
`_commit_offsets` (one commit) and `_seek` (one seek in the consumer's thread).
"""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable, Collection, Mapping, Sequence
from typing import Any, Protocol

import faust
from faust.transport.drivers import aiokafka
from faust.types import TP

from . import fetched_records, kafka_client

fetched_records.install()
kafka_client.install()

_FETCH_S = 1.0
_SEEK_AGAIN_S = 0.1


class Message(Protocol):
    """A message as Faust hands it over."""

    topic: str
    partition: int
    offset: int
    key: bytes | None
    value: bytes | None
    headers: Any


class App(faust.App):
    """A Faust application without tables."""

    def _create_directories(self) -> None:
        """Create no directory. Faust creates one for tables in the working directory, which may be read-only."""


class ConsumerThread(aiokafka.AIOKafkaConsumerThread):
    """The thread in which aiokafka's consumer runs."""

    async def on_thread_stop(self) -> None:
        """Stop the consumer, and close its client even if stopping the consumer fails.

        aiokafka awaits the fetches that it has just cancelled. A fetch that was backing off ends with CancelledError,
        which ends `AIOKafkaConsumer.stop` before the client is closed: connections stay open, and Faust waits a minute
        for a shutdown that never ends.
        """
        try:
            await super().on_thread_stop()
        except asyncio.CancelledError:
            task = asyncio.current_task()
            if task is None or task.cancelling():
                raise
        finally:
            if self._consumer is not None:
                await self._consumer._client.close()


class Consumer(aiokafka.Consumer):
    """Reads on from the sink's positions instead of the group's committed offsets, and hands over whole fetches."""

    starts: Callable[[Collection[TP]], Awaitable[Mapping[TP, int]]]
    hand_over: Callable[[list[Message]], Awaitable[None]]
    applied: dict[TP, int]
    """The position of each partition in the sink: the next offset to apply."""
    first_of_all: dict[TP, int]
    """The first fetched offset of each partition whose fetch began behind the expected offset."""

    def _new_consumer_thread(self) -> ConsumerThread:
        """Create the consumer's thread, of the class that closes all connections."""
        return ConsumerThread(self, loop=self.loop, beacon=self.beacon)

    async def seek_to_committed(self) -> Mapping[TP, int]:
        """Seek to the sink's positions.

        Faust calls back on an assignment before it seeks to the group's offsets. A seek made in the callback would be
        undone, and events would be lost silently.
        """
        starts = await self.starts(self.assignment())
        for partition, offset in starts.items():
            await self._seek(partition, offset)
        return starts

    async def _drain_messages(self, fetcher: Any) -> None:
        """Hand over all messages of a fetch at once.

        Faust hands over one message at a time, each in some turns of the event loop: with busy processors that is fifty
        a second, however many messages wait.
        """
        stopped: tuple[type[BaseException], ...] = (*self.consumer_stopped_errors, asyncio.CancelledError)
        sought = True
        try:
            while not (self.should_stop or fetcher.should_stop):
                generation = self.app.consumer_generation_id
                fetched, active = await self._wait_next_records(_FETCH_S)
                if self.should_stop:
                    break
                if not (sought and self.flow_active and self.app.consumer_generation_id == generation):
                    # The fetched messages may be from before a seek.
                    sought = await self._sought()
                elif self._leaves_a_hole(fetched or {}):
                    sought = False
                elif messages := self._unread(fetched or {}, active):
                    await self.wait_first(self.hand_over(messages), self.suspend_flow.wait())
                await asyncio.sleep(0)  # `_wait_next_records` may return at once many times in a row
        except stopped:
            if not self.transport.app.should_stop:
                raise

    async def _sought(self) -> bool:
        """Seek to the positions of the sink. Return False if that failed because of a rebalance."""
        try:
            await self.perform_seek()
        except aiokafka.KafkaError as error:  # type: ignore[attr-defined]  # what Faust's driver raises
            self.log.info("seeking again, because the group is rebalancing: %s", error)
            await asyncio.sleep(_SEEK_AGAIN_S)
            return False
        return True

    def _leaves_a_hole(self, fetched: Mapping[Any, Sequence[Message]]) -> bool:
        """Return whether messages are missing before the fetched ones: then the fetch began after a lost seek.

        If the next fetch, after another seek, begins at the same offset, the log has no earlier messages.
        """
        missing = False
        for place, messages in fetched.items():
            partition, first = TP(*place), messages[0].offset
            if first <= (self._read_offset[partition] or 0):
                self.first_of_all.pop(partition, None)
            elif self.first_of_all.get(partition) != first:
                self.first_of_all[partition] = first
                missing = True
        return missing

    def _unread(self, fetched: Mapping[Any, Sequence[Message]], active: Collection[TP] | None) -> list[Message]:
        """Return the messages that were not handed over yet: a fetch may have begun before a seek."""
        unread: list[Message] = []
        for place, messages in fetched.items():
            partition = TP(*place)
            if active is not None and partition not in active:
                continue
            since = self._read_offset[partition] or 0
            unread += messages if messages[0].offset >= since else [m for m in messages if m.offset >= since]
            self._read_offset[partition] = max(since, messages[-1].offset + 1)
        return unread

    async def verify_all_partitions_active(self) -> None:
        """Check nothing. Faust would look for stalled streams, and warn that there are none."""

    async def force_commit(self, topics: object = None, start_new_transaction: bool = True) -> bool:
        """Commit the positions of the sink that the group does not know yet.

        Faust would commit the offsets that its streams acknowledged, and there are no streams. Nothing is committed
        during a rebalance: the response to the commit would reject the old generation after the new one was agreed on,
        aiokafka would forget the new one, and the group would rebalance again and again.
        """
        if self.app.rebalancing:
            return False
        committed, assigned = self._committed_offset, self.assignment()
        news = {tp: end for tp, end in self.applied.items() if tp in assigned and committed.get(tp) != end}
        return bool(news) and await self._commit_offsets(news)
