"""The Sink port of one consumer group on views.db: a batch, its positions and its newest ids are one transaction."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import Any

from events.event import Envelope
from events.first_copies import Entity
from events.fitting import Marks
from events.ids import from_bytes, to_bytes
from events.log import Positions, Record, TopicPartition
from events.sqlite.connection import UNAVAILABLE
from events.topics import TOPICS

from ..sink import UNKNOWN, StoreUnavailable
from .views import Views

ADVANCE = """
INSERT INTO positions VALUES (?, ?, ?, ?, ?) ON CONFLICT DO UPDATE
SET last = CASE WHEN excluded.next = next THEN coalesce(excluded.last, last) ELSE excluded.last END,
    next = excluded.next
"""
CACHED_NEWEST = 20_000


class SqliteSink:
    """The Sink port of one consumer group on views.db."""

    def __init__(self, views: Views, consumers: str) -> None:
        self.views = views
        self.consumers = consumers
        self._connection = views.connection
        self._cache: dict[Entity, str] = {}
        self._cache_is_complete = False
        """Whether an entity that is not in the cache has no stored id: from zero on, while the cache has room."""

    async def positions(self) -> Positions:
        """Return the positions up to which the group's effects are stored. A rebuild may have moved rows meanwhile."""
        self._cache.clear()
        stored = self._connection.execute("SELECT 1 FROM newest WHERE consumers=? LIMIT 1", (self.consumers,)).get
        self._cache_is_complete = stored is None
        rows = self._connection.execute(
            "SELECT topic, partition, next FROM positions WHERE consumers=?", (self.consumers,)
        )
        return Positions((TopicPartition(str(t), int(p)), int(n)) for t, p, n in rows)

    async def marks(self) -> Marks:
        """Return the same positions as marks."""
        return self.views.marks().get(self.consumers, {})

    async def newest(self, entities: Iterable[Entity]) -> dict[Entity, str]:
        """Return the newest applied id of each entity, from a cache if possible."""
        found = {}
        for entity in entities:
            id_ = self._cache.get(entity)
            if id_ is None:
                if self._cache_is_complete:
                    continue
                raw: Any = self._connection.execute(
                    "SELECT id FROM newest WHERE consumers=? AND topic=? AND key=?",
                    (self.consumers, TOPICS[entity[0]].number, entity[1]),
                ).get
                if raw is None:
                    continue
                id_ = from_bytes(raw)
            found[entity] = id_
        return found

    async def begin(self) -> None:
        """Start a batch. Raises StoreUnavailable."""
        try:
            self._connection.execute("BEGIN IMMEDIATE")
        except UNAVAILABLE as error:
            raise StoreUnavailable(str(error)) from error

    def applying(self, about: Envelope, at: Record | None) -> None:
        """Do nothing: a transaction is stored whole, so the cause of a write does not matter."""

    async def commit(
        self, positions: Positions, newest: Mapping[Entity, str], last: Mapping[TopicPartition, str] = UNKNOWN
    ) -> None:
        """Store the batch. Raises StoreUnavailable after a rollback."""
        try:
            self._connection.executemany(
                ADVANCE,
                [
                    (self.consumers, tp.topic, tp.partition, offset, to_bytes(last[tp]) if last.get(tp) else None)
                    for tp, offset in positions.items()
                ],
            )
            self._connection.executemany(
                "INSERT OR REPLACE INTO newest VALUES (?, ?, ?, ?)",
                [(self.consumers, TOPICS[topic].number, key, to_bytes(id_)) for (topic, key), id_ in newest.items()],
            )
            self._connection.execute("COMMIT")
        except BaseException as error:
            await self.abandon()
            if isinstance(error, UNAVAILABLE):
                raise StoreUnavailable(str(error)) from error
            raise
        if len(self._cache) + len(newest) > CACHED_NEWEST:
            self._cache.clear()
            self._cache_is_complete = False
        self._cache.update(newest)

    async def abandon(self) -> None:
        """Roll the batch back."""
        self._cache.clear()
        self._cache_is_complete = False
        if self._connection.in_transaction:
            self._connection.execute("ROLLBACK")

    async def check(self) -> None:
        """Do nothing: only the owner of the file writes to it."""

    async def close(self) -> None:
        """Do nothing: the connection is shared."""
