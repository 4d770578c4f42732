"""Batches on Cassandra, which has no transactions: effects are written first, then the positions that they reach.

An interruption in between leaves effects without their positions. The records are redelivered, perhaps in other
batches, and change nothing: a write has the timestamp of its event (milliseconds << 12 | counter of its id), so the
repeated write is the same cell, and an older write loses to that of a newer event of its entity. (If the least value
has to win, the timestamp is computed from the value: users.py.) For this, each cell must be written by the events of
one entity only, and no event may both write and delete a cell: at equal timestamps the deletion wins (see `replacing`).
"""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable, Hashable, Iterable, Mapping
from typing import Any

from cachetools import FIFOCache, LRUCache

from events.event import Envelope
from events.first_copies import Entity
from events.fitting import Mark, Marks
from events.ids import from_bytes, timestamp, to_bytes
from events.log import Positions, Record, TopicPartition
from events.topics import TOPICS

from ..sink import UNKNOWN, SinkMoved
from .address import checked
from .session import CassandraSession, Parameters

CACHED_NEWEST = 20_000
MOST_KNOWN = 100_000
"""Writes that are known to be stored and need not be repeated; some 200 bytes each."""

Step = Callable[[], Awaitable[None]]


class CassandraSink:
    """The Sink port of one consumer group, through which its rows are written."""

    def __init__(self, session: CassandraSession, keyspace: str, consumers: str) -> None:
        self.session = session
        self.consumers = consumers
        name = checked(keyspace)
        self._positions = f"SELECT topic, partition, next FROM {name}.positions WHERE consumers=?"
        self._marks = f"SELECT topic, partition, next, last, WRITETIME(last) FROM {name}.positions WHERE consumers=?"
        # The highest offset wins, even if a slow worker writes a lower one later.
        self._put_position = (
            f"INSERT INTO {name}.positions (consumers, topic, partition, next) VALUES (?, ?, ?, ?) USING TIMESTAMP ?"
        )
        # The mark has the same timestamp as its position, which shows that they belong together.
        self._put_mark = (
            f"INSERT INTO {name}.positions (consumers, topic, partition, next, last)"
            " VALUES (?, ?, ?, ?, ?) USING TIMESTAMP ?"
        )
        self._newest = f"SELECT key, id FROM {name}.newest WHERE consumers=? AND topic=? AND key IN ?"
        self._put_newest = (
            f"INSERT INTO {name}.newest (consumers, topic, key, id) VALUES (?, ?, ?, ?) USING TIMESTAMP ?"
        )
        self._cache: LRUCache[Entity, str] = LRUCache(CACHED_NEWEST)
        self._known: FIFOCache[Hashable, None] = FIFOCache(MOST_KNOWN)
        self._now_known: set[Hashable] = set()
        self._writes: list[tuple[str, Parameters]] = []
        self._steps: dict[Hashable, Step] = {}
        self.within: dict[Hashable, Any] = {}
        """Values written in this batch, for reads in the same batch."""
        self._stamp: int | None = None
        self._left = Positions()

    async def positions(self) -> Positions:
        """Return the positions up to which the group's effects are stored. Raises StoreUnavailable."""
        self._forget()
        self._left = Positions()
        rows = await self.session.read(self._positions, (self.consumers,))
        return Positions((TopicPartition(topic, partition), next_) for topic, partition, next_ in rows)

    async def marks(self) -> Marks:
        """Return the same positions as marks. Raises StoreUnavailable."""
        rows = await self.session.read(self._marks, (self.consumers,))
        return {
            TopicPartition(topic, partition): Mark(next_, from_bytes(last) if written == next_ else "")
            for topic, partition, next_, last, written in rows
        }

    async def newest(self, entities: Iterable[Entity]) -> dict[Entity, str]:
        """Return the newest applied id of each entity, from a cache if possible. Raises StoreUnavailable."""
        found: dict[Entity, str] = {}
        missing: dict[str, list[str]] = {}
        for entity in entities:
            id_ = self._cache.get(entity)
            if id_ is None:
                missing.setdefault(entity[0], []).append(entity[1])
            else:
                found[entity] = id_
        rows = await asyncio.gather(
            *(
                self.session.read_by_keys(self._newest, keys, self.consumers, TOPICS[topic].number)
                for topic, keys in missing.items()
            )
        )
        for topic, of_topic in zip(missing, rows, strict=True):
            found.update(((topic, key), from_bytes(id_)) for key, id_ in of_topic)
        return found

    async def begin(self) -> None:
        """Start a batch."""
        self._clear()

    def applying(self, about: Envelope, at: Record | None) -> None:
        """Set the event that causes the next writes, and so their timestamp."""
        self._stamp = timestamp(about.id)

    @property
    def stamp(self) -> int:
        """The timestamp of the event's writes and deletions."""
        assert self._stamp is not None, "rows are written by handlers, for the event that is applied"
        return self._stamp

    @property
    def replacing(self) -> int:
        """The timestamp for deleting all that earlier events wrote, if the same event also writes."""
        return self.stamp - 1

    def write(self, cql: str, *parameters: Any) -> None:
        """Add a write to the batch. Its timestamp is among the parameters."""
        self._writes.append((cql, parameters))

    def write_once(self, cql: str, *parameters: Any) -> None:
        """Add a write of a row that never changes and is never deleted. A known row is not written again."""
        key = (cql, parameters[:-1])  # without the timestamp
        if key not in self._known and key not in self._now_known:
            self._now_known.add(key)
            self.write(cql, *parameters)

    def afterwards(self, key: Hashable, step: Step) -> None:
        """Run a step after the batch's writes are durable and before its positions are.

        A later step with the same key replaces an earlier one. Steps are for deletions that have to read first. They
        must be idempotent.
        """
        self._steps.pop(key, None)
        self._steps[key] = step

    async def commit(
        self, positions: Positions, newest: Mapping[Entity, str], last: Mapping[TopicPartition, str] = UNKNOWN
    ) -> None:
        """Store the batch. Raises StoreUnavailable; some effects may be stored then, but no positions."""
        try:
            marks = await self.session.bound([*self._of_positions(positions, last), *self._of_newest(newest)])
            await self.session.write(self._writes)
            await asyncio.gather(*(step() for step in self._steps.values()))
            await self.session.send(marks)
        except BaseException:
            await self.abandon()
            raise
        self._remember(newest)
        self._left = self._left.merged(positions)
        self._clear()

    async def abandon(self) -> None:
        """Discard the batch. None of it was sent."""
        self._forget()

    async def check(self) -> None:
        """Raise SinkMoved if the group's positions are behind this sink's last commit. Raises StoreUnavailable."""
        rows = await self.session.read(self._positions, (self.consumers,))
        found = Positions((TopicPartition(topic, partition), next_) for topic, partition, next_ in rows)
        if not found.covers(self._left):
            raise SinkMoved("Cassandra")

    async def close(self) -> None:
        """Do nothing: the session is shared."""

    def _of_positions(
        self, positions: Positions, last: Mapping[TopicPartition, str]
    ) -> Iterable[tuple[str, Parameters]]:
        for place, offset in positions.items():
            id_ = last.get(place)
            if id_:
                put = (self.consumers, place.topic, place.partition, offset, to_bytes(id_), offset)
                yield self._put_mark, put
            else:
                yield self._put_position, (self.consumers, place.topic, place.partition, offset, offset)

    def _of_newest(self, newest: Mapping[Entity, str]) -> list[tuple[str, Parameters]]:
        return [
            (self._put_newest, (self.consumers, TOPICS[topic].number, key, to_bytes(id_), timestamp(id_)))
            for (topic, key), id_ in newest.items()
        ]

    def _remember(self, newest: Mapping[Entity, str]) -> None:
        self._cache.update(newest)
        self._known.update(dict.fromkeys(self._now_known))

    def _clear(self) -> None:
        self._writes.clear()
        self._steps.clear()
        self._now_known.clear()
        self.within.clear()
        self._stamp = None

    def _forget(self) -> None:
        """Discard the batch and all caches: another worker may have written, or the store may have lost data."""
        self._clear()
        self._cache.clear()
        self._known.clear()


class LastWriteSink(CassandraSink):
    """A sink without newest ids, for rows that stay correct by the timestamps of their events alone.

    A newest id is a row and a request for every entity of a batch, a quarter of all rows and a third of all requests of
    the `timelines` group. It would only save the writes of copies, which change nothing. For a single copy that holds
    as long as a deletion is remembered, 10 days (gc_grace_seconds). A copy that is followed by all later events ends
    correctly at any age. Where a stream derives an event from each event, or an effect is not a write, use
    CassandraSink.
    """

    async def newest(self, entities: Iterable[Entity]) -> dict[Entity, str]:
        """Return none: newest ids are not stored."""
        return {}

    async def commit(
        self, positions: Positions, newest: Mapping[Entity, str], last: Mapping[TopicPartition, str] = UNKNOWN
    ) -> None:
        """Store the batch and its positions. Raises StoreUnavailable."""
        await super().commit(positions, {}, last)
