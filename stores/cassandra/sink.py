"""Landing batches on Cassandra, which has no transactions: effects first, then the positions that they reach.

What breaks off in between leaves effects whose positions are not noted. The records come again, perhaps in batches of
other sizes, and change nothing: a write carries the timestamp of its event (milliseconds << 12 | counter of its id),
so the same write is the same cell, and an older one loses to what a newer event of its entity wrote before. (Where
the least value counts, the timestamp comes from the value: users.py.) That
holds for as long as each cell is written by the events of one entity, and nothing is both written and deleted by one
event: at equal timestamps the deletion wins (see `replacing`).
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
"""Writes that need not be made again and are remembered, some 200 bytes each."""

Step = Callable[[], Awaitable[None]]


class CassandraSink:
    """The Sink port of one consumer group, and what its rows write through."""

    def __init__(self, session: CassandraSession, keyspace: str, consumers: str) -> None:
        self.session = session
        self.consumers = consumers
        name = checked(keyspace)
        self._positions = f"SELECT topic, partition, next FROM {name}.positions WHERE consumers=?"
        self._marks = f"SELECT topic, partition, next, last, WRITETIME(last) FROM {name}.positions WHERE consumers=?"
        # The highest offset wins, whoever is late with a lower one.
        self._put_position = (
            f"INSERT INTO {name}.positions (consumers, topic, partition, next) VALUES (?, ?, ?, ?) USING TIMESTAMP ?"
        )
        # Of the same timestamp as its position, which tells that it belongs to it.
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
        """What rows of this batch say, for those who read in the same batch."""
        self._stamp: int | None = None
        self._left = Positions()

    async def positions(self) -> Positions:
        """How far the group's effects reach. Raises StoreUnavailable."""
        self._forget()
        self._left = Positions()
        rows = await self.session.read(self._positions, (self.consumers,))
        return Positions((TopicPartition(topic, partition), next_) for topic, partition, next_ in rows)

    async def marks(self) -> Marks:
        """The same, each with the event just before it. Raises StoreUnavailable."""
        rows = await self.session.read(self._marks, (self.consumers,))
        return {
            TopicPartition(topic, partition): Mark(next_, from_bytes(last) if written == next_ else "")
            for topic, partition, next_, last, written in rows
        }

    async def newest(self, entities: Iterable[Entity]) -> dict[Entity, str]:
        """The newest ids, from memory where they were seen lately. Raises StoreUnavailable."""
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
        """What is written from now on is of this event."""
        self._stamp = timestamp(about.id)

    @property
    def stamp(self) -> int:
        """The timestamp of the event's writes and deletions."""
        assert self._stamp is not None, "rows are written by handlers, for the event that is applied"
        return self._stamp

    @property
    def replacing(self) -> int:
        """The timestamp for a deletion of all that earlier events wrote, where the same event writes anew."""
        return self.stamp - 1

    def write(self, cql: str, *parameters: Any) -> None:
        """Make a write when the batch lands; its timestamp is among the parameters."""
        self._writes.append((cql, parameters))

    def write_once(self, cql: str, *parameters: Any) -> None:
        """The same for a row that always says the same and is never deleted: it is not written again and again."""
        key = (cql, parameters[:-1])  # less the timestamp
        if key not in self._known and key not in self._now_known:
            self._now_known.add(key)
            self.write(cql, *parameters)

    def afterwards(self, key: Hashable, step: Step) -> None:
        """Do this when the batch's writes are durable, before its positions are; a later step of a key replaces it.

        For deletions that have to look first at what there is; they have to come out right when they are made again.
        """
        self._steps.pop(key, None)
        self._steps[key] = step

    async def commit(
        self, positions: Positions, newest: Mapping[Entity, str], last: Mapping[TopicPartition, str] = UNKNOWN
    ) -> None:
        """Land the batch. Raises StoreUnavailable; then effects of it may be there, and its positions are not."""
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
        """Forget the batch: nothing of it was sent."""
        self._forget()

    async def check(self) -> None:
        """Raise SinkMoved where the group's positions are behind what this sink left. Also StoreUnavailable."""
        rows = await self.session.read(self._positions, (self.consumers,))
        found = Positions((TopicPartition(topic, partition), next_) for topic, partition, next_ in rows)
        if not found.covers(self._left):
            raise SinkMoved("Cassandra")

    async def close(self) -> None:
        """The session is others' as well."""

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
        """Clear, and trust nothing that was remembered: somebody else may have landed or lost something meanwhile."""
        self._clear()
        self._cache.clear()
        self._known.clear()


class LastWriteSink(CassandraSink):
    """A sink that notes no newest ids, for rows that the timestamps of their events keep right by themselves.

    A newest id is a row and a request for every entity of a batch, a quarter of all rows and a third of all requests of
    the `timelines` group. It would only spare the writes of a copy: these change nothing. That holds for a copy by
    itself as long as a deletion is remembered, 10 days (gc_grace_seconds); what comes again with all that followed it
    ends right at any age. Where a stream says something of each event, or an effect is no write, CassandraSink.
    """

    async def newest(self, entities: Iterable[Entity]) -> dict[Entity, str]:
        """None of them."""
        return {}

    async def commit(
        self, positions: Positions, newest: Mapping[Entity, str], last: Mapping[TopicPartition, str] = UNKNOWN
    ) -> None:
        """Land the batch and its positions. Raises StoreUnavailable."""
        await super().commit(positions, {}, last)
