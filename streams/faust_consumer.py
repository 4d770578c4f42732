"""Faust's consumer, with two things of Faust 0.15.3 replaced.

It calls back on an assignment before it seeks to the committed offsets, so that a seek made there is undone and events
are lost silently: what it seeks to comes from the sink. And it hands over one message at a time, each for some turns of
the event loop: while processors are busy that is fifty a second, whatever waits. Here all that was fetched is handed
over at once. What its driver decodes of a fetch is in fetched_records.py.
"""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable, Collection, Mapping, Sequence
from typing import Any, Protocol

from faust.transport.drivers import aiokafka
from faust.types import TP

from . import fetched_records

fetched_records.install()

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


class Consumer(aiokafka.Consumer):
    """Goes on from the sink's positions, wherever the group's offsets are, and hands over all that was fetched."""

    starts: Callable[[Collection[TP]], Awaitable[Mapping[TP, int]]]
    hand_over: Callable[[list[Message]], Awaitable[None]]
    landed: dict[TP, int]
    """The offset up to which each partition has landed."""
    first_of_all: dict[TP, int]
    """Where something was missing before what was fetched: the offset of that."""

    async def seek_to_committed(self) -> Mapping[TP, int]:
        """Seek to where each partition that is assigned goes on."""
        starts = await self.starts(self.assignment())
        for partition, offset in starts.items():
            await self._seek(partition, offset)
        return starts

    async def _drain_messages(self, fetcher: Any) -> None:
        stopped: tuple[type[BaseException], ...] = (*self.consumer_stopped_errors, asyncio.CancelledError)
        sought = True
        try:
            while not (self.should_stop or fetcher.should_stop):
                generation = self.app.consumer_generation_id
                fetched, active = await self._wait_next_records(_FETCH_S)
                if self.should_stop:
                    break
                if not (sought and self.flow_active and self.app.consumer_generation_id == generation):
                    # What was fetched may be from before a seek or from behind it.
                    sought = await self._sought()
                elif self._leaves_a_hole(fetched or {}):
                    sought = False
                elif messages := self._unread(fetched or {}, active):
                    await self.wait_first(self.hand_over(messages), self.suspend_flow.wait())
                await asyncio.sleep(0)  # it may return at once, again and again
        except stopped:
            if not self.transport.app.should_stop:
                raise

    async def _sought(self) -> bool:
        """Whether it could go back to where it is to go on: not while partitions change hands."""
        try:
            await self.perform_seek()
        except aiokafka.KafkaError as error:  # type: ignore[attr-defined]  # what Faust's driver raises
            self.log.info("seeking again, since partitions are changing hands: %s", error)
            await asyncio.sleep(_SEEK_AGAIN_S)
            return False
        return True

    def _leaves_a_hole(self, fetched: Mapping[Any, Sequence[Message]]) -> bool:
        """Whether something is missing before what was fetched: then it is from behind a seek.

        Where the same is first after another seek, the log has nothing before it.
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
        """Those of the messages that are new: a fetch may have begun before a seek."""
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
        """Nothing: Faust would look for streams that stand still, and warn that it finds none."""

    async def force_commit(self, topics: object = None, start_new_transaction: bool = True) -> bool:
        """Tell the group how far has landed what it did not know of.

        Not while it shares the partitions out: the answer comes after the agreement, refuses the generation before it,
        and makes the driver forget the new one; then all would have to agree again, and so on.
        """
        if self.app.rebalancing:
            return False
        committed, assigned = self._committed_offset, self.assignment()
        news = {tp: end for tp, end in self.landed.items() if tp in assigned and committed.get(tp) != end}
        return bool(news) and await self._commit_offsets(news)
