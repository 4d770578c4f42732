"""The Sink port of one consumer group on PostgreSQL: the rows of a batch are buffered, and sent in one transaction.

Handlers write rows without waiting, so rows are buffered (`Pending`) until the commit, which sends them through a
pipeline in three round trips, however large the batch is. No statement is sent for a single event. If a batch writes a
row twice, only the last version is sent.

Two workers may believe for a moment that they have the same partition. A worker stores a batch only if the stored
position is the one that it last wrote: it locks and compares that row first. The second worker has applied the same
events, so its batch is rolled back. When the batch is retried, the newest ids show that its events are copies.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from typing import Any, Protocol

import psycopg

from events.event import Envelope
from events.first_copies import Entity
from events.fitting import Mark, Marks
from events.log import Positions, Record, TopicPartition
from events.postgres.connections import UNAVAILABLE, Connection, Values
from events.topics import BY_NUMBER, TOPICS

from ..sink import UNKNOWN, SinkMoved, StoreUnavailable
from .database import Database, available

_POSITIONS = "SELECT topic, partition, next FROM positions WHERE consumers = %s"
_MARKS = "SELECT topic, partition, next, last::text FROM positions WHERE consumers = %s"
_NEWEST = """
SELECT topic, key, id::text FROM newest JOIN unnest(%s::smallint[], %s::text[]) AS asked(topic, key) USING (topic, key)
WHERE consumers = %s"""
_ADVANCE = """
UPDATE positions AS p
SET next = greatest(p.next, a.next), last = CASE WHEN a.next > p.next THEN a.last ELSE p.last END
FROM unnest(%s::text[], %s::integer[], %s::bigint[], %s::bigint[], %s::uuid[]) AS a(topic, partition, known, next, last)
WHERE p.consumers = %s AND p.topic = a.topic AND p.partition = a.partition AND p.next = a.known"""
_BEGIN_AT = """
INSERT INTO positions (consumers, topic, partition, next, last) SELECT %s, topic, partition, next, last
FROM unnest(%s::text[], %s::integer[], %s::bigint[], %s::uuid[]) AS a(topic, partition, next, last)
ON CONFLICT DO NOTHING"""
_FOLDED = """
INSERT INTO newest SELECT %s, * FROM unnest(%s::smallint[], %s::text[], %s::uuid[])
ON CONFLICT (consumers, topic, key) DO UPDATE SET id = excluded.id"""


class Pending(Protocol):
    """The buffered rows of a batch."""

    async def send(self, connection: Connection) -> None:
        """Write the rows, in the open transaction."""
        ...

    def clear(self) -> None:
        """Discard the rows: they were committed, or never will be."""
        ...


class PostgresSink:
    """The Sink port. `pending` are the buffers that the group's processors write to, in the order of the commit."""

    def __init__(self, database: Database, consumers: str, pending: Sequence[Pending]) -> None:
        self._database = database
        self.consumers = consumers
        self._pending = list(pending)
        self._connection: Connection | None = None
        self.begun = False
        """Whether a batch has begun and is neither committed nor rolled back."""
        self._known: Positions | None = None
        """The group's positions when this sink read or wrote them last; None if they are unknown."""

    def add(self, rows: Pending) -> None:
        """Add a buffer to commit, after the others."""
        self._pending.append(rows)

    async def positions(self) -> Positions:
        """Return the positions up to which the group's effects are stored. Raises StoreUnavailable."""
        rows = await self._ask(_POSITIONS, (self.consumers,))
        self._known = Positions((TopicPartition(topic, partition), next_) for topic, partition, next_ in rows)
        return Positions(self._known)

    async def marks(self) -> Marks:
        """Return the same positions as marks. Raises StoreUnavailable."""
        rows = await self._ask(_MARKS, (self.consumers,))
        return {TopicPartition(topic, partition): Mark(next_, last or "") for topic, partition, next_, last in rows}

    async def newest(self, entities: Iterable[Entity]) -> dict[Entity, str]:
        """Return the newest applied id of each entity. Raises StoreUnavailable."""
        asked = list(entities)
        if self._known is None:
            await self.positions()  # before the ids: they are valid if this has not moved at the commit
        if not asked:
            return {}
        topics = [TOPICS[topic].number for topic, _ in asked]
        rows = await self._ask(_NEWEST, (topics, [key for _, key in asked], self.consumers))
        return {(BY_NUMBER[number].name, key): id_ for number, key, id_ in rows}

    async def begin(self) -> None:
        """Start a batch. Raises StoreUnavailable."""
        self._clear()
        if self._known is None:
            await self.positions()
        await self._ask("BEGIN", ())
        self.begun = True

    def applying(self, about: Envelope, at: Record | None) -> None:
        """Do nothing: a transaction is stored whole, so the cause of a write does not matter."""

    async def commit(
        self, positions: Positions, newest: Mapping[Entity, str], last: Mapping[TopicPartition, str] = UNKNOWN
    ) -> None:
        """Store the batch. Raises StoreUnavailable after a rollback."""
        connection, known = self._connection, self._known
        assert connection is not None
        assert known is not None
        moved = {place: offset for place, offset in positions.items() if known.get(place) != offset}
        try:
            async with available():
                async with connection.pipeline():
                    advanced = await self._advance(connection, known, moved, last)
                    for rows in self._pending:
                        await rows.send(connection)
                    await self._fold(connection, newest)
                if sum(cursor.rowcount for cursor in advanced) != len(moved):
                    raise StoreUnavailable("another worker has applied events of the same partitions")
                await connection.execute("COMMIT")
                self.begun = False
        except BaseException:
            await self.abandon()
            self._known = None
            raise
        self._clear()
        self._known = known.merged(moved)

    async def abandon(self) -> None:
        """Roll the batch back."""
        self._clear()
        self.begun = False
        connection = self._connection
        if connection is None:
            return
        try:
            if connection.info.transaction_status != psycopg.pq.TransactionStatus.IDLE:
                await connection.execute("ROLLBACK")
        except psycopg.Error:
            await self.close()  # the server rolls the transaction back

    async def check(self) -> None:
        """Raise SinkMoved if the group's positions are behind this sink's last commit. Raises StoreUnavailable."""
        rows = await self._ask(_POSITIONS, (self.consumers,))
        found = Positions((TopicPartition(topic, partition), next_) for topic, partition, next_ in rows)
        if self._known is not None and not found.covers(self._known):
            raise SinkMoved("PostgreSQL")

    async def close(self) -> None:
        """Close the connection. The next call opens another one."""
        connection, self._connection = self._connection, None
        if connection is not None:
            await connection.close()

    async def _advance(
        self,
        connection: Connection,
        known: Positions,
        moved: Mapping[TopicPartition, int],
        last: Mapping[TopicPartition, str],
    ) -> list[psycopg.AsyncCursor[tuple[Any, ...]]]:
        """Advance the positions that are still where this sink left them.

        The cursors tell how many rows were changed.
        """
        places = sorted(moved)
        old = [place for place in places if place in known]
        new = [place for place in places if place not in known]
        done = []
        if old:
            known_ones = [known[place] for place in old]
            to, ids = [moved[place] for place in old], [last.get(place) for place in old]
            values = (*_columns(old), known_ones, to, ids, self.consumers)
            done.append(await connection.execute(_ADVANCE, values))
        if new:
            to, ids = [moved[place] for place in new], [last.get(place) for place in new]
            done.append(await connection.execute(_BEGIN_AT, (self.consumers, *_columns(new), to, ids)))
        return done

    async def _fold(self, connection: Connection, newest: Mapping[Entity, str]) -> None:
        if newest:
            rows = sorted((TOPICS[topic].number, key, id_) for (topic, key), id_ in newest.items())
            numbers, keys, ids = (list(column) for column in zip(*rows, strict=True))
            await connection.execute(_FOLDED, (self.consumers, numbers, keys, ids))

    async def ask(self, sql: str, values: Values) -> list[tuple[Any, ...]]:
        """Run a statement for the processors, inside the batch if one has begun. Raises StoreUnavailable."""
        if not self.begun:
            return await self._ask(sql, values)
        async with available():
            return await self._run(sql, values)

    async def _ask(self, sql: str, values: Values) -> list[tuple[Any, ...]]:
        """Run a statement that begins a transaction or changes nothing; once more if the connection was dead."""
        async with available():
            try:
                return await self._run(sql, values)
            except UNAVAILABLE:
                if self._connection is None or not self._connection.broken:
                    raise
                await self.close()
                return await self._run(sql, values)

    async def _run(self, sql: str, values: Values) -> list[tuple[Any, ...]]:
        if self._connection is None:
            self._connection = await self._database.connect()
        cursor = await self._connection.execute(sql.encode(), values)
        return [] if cursor.description is None else await cursor.fetchall()

    def _clear(self) -> None:
        for rows in self._pending:
            rows.clear()


def _columns(places: Sequence[TopicPartition]) -> tuple[list[str], list[int]]:
    return [place.topic for place in places], [place.partition for place in places]
