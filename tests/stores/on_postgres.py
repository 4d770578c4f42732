"""The searches of both profiles, on SQLite in memory and on PostgreSQL in a schema, for tests that compare them."""

from __future__ import annotations

import asyncio
import random
import uuid
from collections.abc import AsyncIterator, Awaitable, Callable, Iterable, Iterator, Sequence
from contextlib import asynccontextmanager, contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Protocol, TypeVar

from events.event import BY_CLASS, Envelope, Event
from events.ids import AccountId, EventId, HybridClock
from events.log import Positions, Record, positions_after
from events.postgres.connections import Connection
from projectors.hashtag_search import HashtagSearch as HashtagSearchProjector
from projectors.search import Search as SearchProjector
from projectors.user_search import UserSearch as UserSearchProjector
from projectors.users import Users
from runtime.distributed.models.catalogue import on_postgres
from runtime.processor_group import Group
from stores.hashtag_search import HashtagSearch
from stores.pages import Page
from stores.postgres.database import Database
from stores.postgres.digests import digests as stored_digests
from stores.postgres.hashtag_search import PostgresHashtagSearch, PostgresHashtagSearchRows
from stores.postgres.search import PostgresSearch, PostgresSearchRows
from stores.postgres.sink import PostgresSink
from stores.postgres.user_search import PostgresUserSearch, PostgresUserSearchRows
from stores.search import Search
from stores.sqlite.hashtag_search import HASHTAG_SEARCH, SqliteHashtagSearch, SqliteHashtagSearchRows
from stores.sqlite.search import SEARCH, SqliteSearch, SqliteSearchRows
from stores.sqlite.sink import SqliteSink
from stores.sqlite.user_search import USER_SEARCH, SqliteUserSearch, SqliteUserSearchRows
from stores.sqlite.users import USERS, SqliteUserRows
from stores.sqlite.views import Views
from stores.user_search import UserSearch
from tests.projections.searched import START

T = TypeVar("T")


class Searches(Protocol):
    """The read ports of the searches."""

    @property
    def tweets(self) -> Search: ...
    @property
    def users(self) -> UserSearch: ...
    @property
    def hashtags(self) -> HashtagSearch: ...


@dataclass
class Told:
    """A log in memory. Each topic has `partitions`; all events of an account are in one partition."""

    partitions: int = 1
    records: list[Record] = field(default_factory=list)

    def __post_init__(self) -> None:
        self._ids = HybridClock(lambda: START, random.Random(1).randbytes)
        self._ends: dict[tuple[str, int], int] = {}

    def tell(self, *events: Event) -> list[Record]:
        """Append these events and return their records."""
        made = []
        for event in events:
            kind = BY_CLASS[type(event)]
            key = kind.key(event)
            place = (kind.topic, int(key[-2:], 16) % self.partitions)
            offset = self._ends.get(place, 0)
            self._ends[place] = offset + 1
            about = Envelope(EventId(self._ids.issue()), START, actor=AccountId(key))
            made.append(Record(*place, offset, key, kind.name, kind.version, event, about))
        self.records += made
        return made


class OnSqlite:
    """The searches of the embedded profile."""

    def __init__(self) -> None:
        self.views = Views(Path(":memory:"), [SEARCH, USER_SEARCH, HASHTAG_SEARCH, USERS])
        connection, names = self.views.connection, self.views.names()
        self.tweets = SqliteSearch(connection, names)
        self.users = SqliteUserSearch(connection, names)
        self.hashtags = SqliteHashtagSearch(connection, names)
        self.group = Group(
            "serving",
            [
                SearchProjector(SqliteSearchRows(connection, names)),
                UserSearchProjector(SqliteUserSearchRows(connection, names)),
                HashtagSearchProjector(SqliteHashtagSearchRows(connection, names)),
                Users(SqliteUserRows(connection, names)),
            ],
            [],
            SqliteSink(self.views, "serving"),
        )

    def close(self) -> None:
        """Close the database."""
        self.views.connection.close()


class OnPostgres:
    """The searches of the distributed profile, and a worker that fills them."""

    def __init__(self, database: Database) -> None:
        self.database = database
        self.pool = database.pool(2)
        self.tweets = PostgresSearch(self.pool)
        self.users = PostgresUserSearch(self.pool)
        self.hashtags = PostgresHashtagSearch(self.pool)
        self.group, self.sink = self.worker()

    def worker(self) -> tuple[Group, PostgresSink]:
        """Return a group with a new sink, as another process has it."""
        search, users, hashtags = PostgresSearchRows(), PostgresUserSearchRows(), PostgresHashtagSearchRows()
        sink = PostgresSink(self.database, "serving", [search, users, hashtags])
        return Group(
            "serving",
            [SearchProjector(search), UserSearchProjector(users), HashtagSearchProjector(hashtags)],
            [],
            sink,
        ), sink


@contextmanager
def a_schema(url: str) -> Iterator[Database]:
    """Create an empty generation."""
    database = Database(url, f"search_{uuid.uuid4().hex}")
    asyncio.run(database.migrate())
    try:
        yield database
    finally:
        asyncio.run(database.drop())


@asynccontextmanager
async def emptied(database: Database) -> AsyncIterator[OnPostgres]:
    """Yield the searches of an emptied generation."""
    made = OnPostgres(database)
    await made.pool.open()
    tables = ["positions", "newest", *(table for model in on_postgres().values() for table in model.tables)]
    async with made.pool.connection() as connection:
        await connection.execute(f"TRUNCATE {', '.join(tables)}".encode())
    try:
        yield made
    finally:
        await made.sink.close()
        await made.pool.close()


async def apply(group: Group, batches: Iterable[Sequence[Record]]) -> None:
    """Apply batches, one after the other, as a worker does."""
    positions = Positions()
    for batch in batches:
        positions = positions.merged(positions_after(batch))
        await group.apply(batch, positions)


async def pages(find: Callable[[str | None, int], Awaitable[Page[T]]], limit: int) -> list[Page[T]]:
    """Read all pages of a list."""
    found: list[Page[T]] = []
    position = None
    while not found or position is not None:
        found.append(await find(position, limit))
        position = found[-1].next
    return found


async def rows(connection: Connection, sql: str) -> list[tuple[Any, ...]]:
    """Return the rows of a statement."""
    cursor = await connection.execute(sql.encode())
    return await cursor.fetchall()


async def digests(database: Database) -> dict[str, tuple[int, str]]:
    """Return number of rows and digest of every read model on PostgreSQL."""
    return await stored_digests(database, on_postgres())
