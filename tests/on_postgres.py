"""The command side on PostgreSQL as the contracts see it: a database of its own, and a log that its outbox feeds.

The log is SQLite's here, so that what is tested is the way into it; tests/integration has the same with Kafka.
"""

from __future__ import annotations

import asyncio
import random
from collections.abc import AsyncIterator, Callable, Coroutine, Iterator, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import asynccontextmanager, contextmanager
from functools import cache
from itertools import count
from os import getpid
from pathlib import Path
from typing import Any, TypeVar

import psycopg
from psycopg.conninfo import make_conninfo

from command_api.deciding import Answering, Context, Decision, Outcome, PrivateChange, Refused
from command_api.decision_snapshot import Snapshot
from command_api.facts import Facts, Question
from command_api.postgres.answers import QuestionReader
from command_api.postgres.credentials import ChangePrivately, PostgresCredentialChanges, asking_credentials
from command_api.postgres.kept import KeptKeys
from command_api.postgres.migrating import migrate
from command_api.postgres.publishing import BOUND_S, Publishing
from command_api.postgres.rebuild import decision_digest
from command_api.postgres.relay import Relay
from command_api.postgres.store import MOST_WAITING, PostgresCommandStore
from events.codec import Codec
from events.ids import HybridClock, Millis, SessionId
from events.kept import KeptTopic
from events.log import LogUnavailable, New, Positions, Record
from events.postgres.connections import open_pool
from events.postgres.keys import PostgresKeys
from events.publishing import Outgoing, Publisher
from events.sealing import MasterKeys, Sealer
from events.sqlite.log import SqliteLogReader
from runtime.embedded.log_db import LogDb, open_reader
from tests.contracts.embedded import EMAIL_KEY, Clock, Note

C = TypeVar("C")
S = TypeVar("S")
T = TypeVar("T")

_numbers = count(1)
MASTERS = MasterKeys.generate()


def on_another_loop(work: Callable[[], Coroutine[Any, Any, T]]) -> T:
    """Run a coroutine function from where there is a loop already."""
    with ThreadPoolExecutor(1) as thread:
        return thread.submit(lambda: asyncio.run(work())).result()


@cache
def template(url: str) -> str:
    """A database with all tables and no rows, made once for each process of tests."""
    name = f"minitwitter_template_{getpid()}"
    with psycopg.connect(url, autocommit=True) as connection:
        connection.execute(f"DROP DATABASE IF EXISTS {name}")
        connection.execute(f"CREATE DATABASE {name}")
    on_another_loop(lambda: migrate(make_conninfo(url, dbname=name)))
    return name


@contextmanager
def a_database(url: str, like: str | None = None) -> Iterator[str]:
    """A database of a test's own: its URL. Empty, or a copy of another."""
    name = f"minitwitter_{getpid()}_{next(_numbers)}"
    with psycopg.connect(url, autocommit=True) as connection:
        connection.execute(f"CREATE DATABASE {name}" + (f" TEMPLATE {like}" if like else ""))
    try:
        yield make_conninfo(url, dbname=name)
    finally:
        with psycopg.connect(url, autocommit=True) as connection:
            connection.execute(f"DROP DATABASE {name} WITH (FORCE)")


class Log:
    """A log that is no database of ours: whoever publishes to it may wait for it, or not reach it."""

    def __init__(self, directory: Path, clock: Clock, partitions: int = 1) -> None:
        directory.mkdir(exist_ok=True)
        self.directory = directory
        self.db = LogDb(
            directory,
            ids=HybridClock(clock),
            partitions=partitions,
            off_loop=_on_the_loop,
            timer=lambda: 0.0,
        )
        self.log = self.db.log
        self.unavailable = False
        self.published: list[str] = []
        """The ids of what was appended, in order."""
        self.waiting = asyncio.Event()
        self._open = asyncio.Event()
        self._open.set()

    def hold(self) -> None:
        """From now on records wait."""
        self._open.clear()
        self.waiting.clear()

    def release(self) -> None:
        """They go on."""
        self._open.set()

    def publisher(self, sealer: Sealer) -> LogPublisher:
        """Somebody who publishes, with the keys that records were sealed with."""
        return LogPublisher(self, sealer)

    async def append(self, new: New) -> Positions:
        """What stands in the log has its own seal."""
        subject = self.db.codec.subject(new.event)
        if subject is not None:
            await self.db.commits.run(lambda: self.db.keys.create(subject))
        return await self.log.append([new])

    async def close(self) -> None:
        self.release()
        await self.db.close()


class LogPublisher:
    """The Publisher port on such a log."""

    def __init__(self, log: Log, sealer: Sealer) -> None:
        self._log = log
        self._codec = Codec(sealer)

    async def publish(self, records: Sequence[Outgoing]) -> Positions:
        """Append them one by one."""
        self._log.waiting.set()
        await self._log._open.wait()
        if self._log.unavailable:
            raise LogUnavailable("the log is unavailable")
        positions = Positions()
        for record in records:
            parsed = self._codec.parse(record.type, record.version, record.value, record.about.id)
            event = self._codec.finish(parsed)
            assert event is not None
            new = New(event, record.about)
            positions = positions.merged(await self._log.append(new))
            self._log.published.append(record.about.id)
        return positions


async def _on_the_loop(work: Callable[[], object]) -> None:
    work()


class _Store:
    """The store, opened when it is first used: tests make their systems without waiting for them."""

    def __init__(self, system: PostgresSystem) -> None:
        self._system = system

    async def execute(self, decision: Decision[C, S], command: C, context: Context, answering: Answering[S]) -> Outcome:
        return await (await self._system.opened()).execute(decision, command, context, answering)

    async def execute_some(
        self,
        commands: Sequence[tuple[Decision[Any, Any], Any, Context]],
        answering: Answering[Any],
        in_time: Callable[[], bool],
    ) -> list[Outcome | Refused]:
        return await (await self._system.opened()).execute_some(commands, answering, in_time)

    async def ask(self, *questions: Question[Any]) -> Facts:
        return await (await self._system.opened()).ask(*questions)

    async def forget_old_answers(self, *most: int) -> int:
        return await (await self._system.opened()).forget_old_answers(*most)


class PostgresSystem:
    """One process of the command side. Several share a database and a log, each with its own clock."""

    keys_come_with_the_log = True

    def __init__(
        self,
        url: str,
        directory: Path,
        *,
        partitions: int = 1,
        clock: Clock | None = None,
        private: Mapping[type[PrivateChange], Note] | None = None,
        tables: tuple[str, ...] = (),
        log: Log | None = None,
        publisher: Publisher | None = None,
        owner: str | None = None,
        seed: int = 7,
        most_waiting: int = MOST_WAITING,
        bound_s: float = BOUND_S,
        masters: MasterKeys = MASTERS,
        check: Callable[[Outgoing], None] = lambda record: None,
        kept: KeptTopic | None = None,
    ) -> None:
        self.url = url
        self.clock = clock or Clock()
        self.ids = HybridClock(self.clock, random.Random(seed).randbytes)
        self._owns_log = log is None
        self.disk = log or Log(directory, self.clock, partitions)
        self.log = self.disk.log
        self._private, self._tables = private or {}, tables
        self._most_waiting = most_waiting
        self._bound_s = bound_s
        self._publisher = publisher
        self._check = check
        self._kept = kept
        self.owner = owner or f"process {next(_numbers)}"
        self.revoked: list[tuple[SessionId, Millis]] = []
        self.sealer = Sealer(masters)
        self.store = _Store(self)
        self._opening: asyncio.Future[PostgresCommandStore] | None = None

    async def opened(self) -> PostgresCommandStore:
        """The store itself."""
        if self._opening is None:
            self._opening = asyncio.ensure_future(self._open())
        return await asyncio.shield(self._opening)

    async def _open(self) -> PostgresCommandStore:
        self.pool = open_pool(self.url)
        await self.pool.open(wait=True)
        async with self.pool.connection() as connection:
            for table in self._tables:
                await connection.execute(table.encode())
        self.keys = PostgresKeys(self.pool, self.sealer)
        changes = PostgresCredentialChanges(self.clock, 3_600_000)
        noted = {kind: _as_statement(*how) for kind, how in self._private.items()}
        kept = None if self._kept is None else KeptKeys(self.pool, self._kept)
        publisher = self._publisher or self.disk.publisher(self.sealer)
        self.publishing = Publishing(self.pool, publisher, bound_s=self._bound_s, kept=kept)
        store = PostgresCommandStore(
            self.pool,
            self.publishing,
            self.keys,
            QuestionReader(EMAIL_KEY, asking_credentials(EMAIL_KEY)),
            EMAIL_KEY,
            {**changes.changes, **noted},
            self.ids,
            owner=self.owner,
            check=self._check,
            revoked=lambda session, at: self.revoked.append((session, at)),
            most_waiting=self._most_waiting,
        )
        await store.start()
        return store

    async def close(self) -> None:
        await self.stop()
        if self._owns_log:
            await self.disk.close()

    async def stop(self) -> None:
        """End the process; the log is another's."""
        if self._opening is not None:
            await (await self.opened()).close()
            await self.pool.close()
            self._opening = None

    async def restart(self, *, clock: Clock | None = None) -> None:
        """Stop and start again, perhaps with another clock."""
        await self.stop()
        self.clock = clock or self.clock
        self.ids = HybridClock(self.clock, random.Random(8).randbytes)
        self.owner = f"process {next(_numbers)}"

    def elsewhere(self) -> SqliteLogReader:
        """The log as another process reads it."""
        return open_reader(self.disk.directory)

    def select(self, query: str) -> list[tuple[Any, ...]]:
        """Rows of the database."""
        with psycopg.connect(self.url) as connection:
            return connection.execute(query.encode()).fetchall()

    async def tamper(self, statement: str) -> None:
        """Change the database behind everybody's back."""
        with psycopg.connect(self.url) as connection:
            connection.execute(statement.encode())

    def snapshot(self) -> Snapshot:
        """Positions and digest of the decision state, while nothing is written."""

        async def take() -> dict[str, tuple[int, str]]:
            async with await psycopg.AsyncConnection.connect(self.url) as connection:
                return await decision_digest(connection)

        return Snapshot(self.disk.db.table.ends(), on_another_loop(take))


def _as_statement(sql: str, values: Callable[[Any], tuple[str, ...]]) -> ChangePrivately:
    return lambda change: [(sql.replace("?", "%s"), values(change))]


SOON_S = 20
"""Within which what has to happen does; far more than it takes."""


async def until(condition: Callable[[], object]) -> None:
    """Wait for a condition."""
    async with asyncio.timeout(SOON_S):
        while not condition():  # noqa: ASYNC110  what is waited for happens in the database
            await asyncio.sleep(0.02)


@asynccontextmanager
async def relaying(url: str, publisher: Publisher, **options: Any) -> AsyncIterator[Relay]:
    """A relay that runs meanwhile."""
    relay = Relay(url, publisher, **options)
    task = asyncio.ensure_future(relay.run())
    try:
        yield relay
    finally:
        task.cancel()
        await asyncio.wait([task])


class World:
    """One database, one log, and as many processes as a test makes."""

    def __init__(self, url: str, directory: Path, partitions: int = 1, masters: MasterKeys = MASTERS) -> None:
        self.url = url
        self.masters = masters
        self.clock = Clock()
        self.partitions = partitions
        self.log = Log(directory / "log", self.clock, partitions)
        self.processes: list[PostgresSystem] = []

    def process(self, **options: Any) -> PostgresSystem:
        """A process of the command side."""
        made = PostgresSystem(
            self.url,
            self.log.directory,
            **{"log": self.log, "clock": self.clock, "seed": next(_numbers), "masters": self.masters, **options},
        )
        self.processes.append(made)
        return made

    @asynccontextmanager
    async def relay(self, **options: Any) -> AsyncIterator[Relay]:
        """A relay. What it publishes is opened with the keys of the processes."""
        async with relaying(self.url, self.log.publisher(self.processes[0].sealer), **options) as relay:
            yield relay

    def waiting(self) -> list[tuple[Any, ...]]:
        """The rows that wait: number, key, owner."""
        return self.processes[0].select("SELECT number, key, owner FROM outbox WHERE published IS NULL ORDER BY number")

    async def drained(self) -> None:
        """Wait until nothing waits."""
        await until(lambda: not self.waiting())

    async def records(self) -> list[Record]:
        return await self.log.log.read({}, 1_000_000)

    async def close(self) -> None:
        self.log.release()
        for process in self.processes:
            await process.stop()
        await self.log.close()


@asynccontextmanager
async def a_world(url: str, directory: Path, partitions: int = 1) -> AsyncIterator[World]:
    """One in a database of its own, closed at the end."""
    with a_database(url, template(url)) as database:
        made = World(database, directory, partitions=partitions)
        try:
            yield made
        finally:
            await made.close()
