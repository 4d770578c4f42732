"""The command side on PostgreSQL as the contracts see it: a database of its own, and a log that its outbox feeds.

The log is SQLite's here, so that what is tested is the way into it; tests/integration has the same with Kafka.
"""

import asyncio
import random
from concurrent.futures import ThreadPoolExecutor
from contextlib import asynccontextmanager, contextmanager
from functools import cache
from itertools import count
from os import getpid
from pathlib import Path

import psycopg
from psycopg.conninfo import make_conninfo

from command_api.decision_snapshot import Snapshot
from command_api.postgres.answers import QuestionReader
from command_api.postgres.credentials import PostgresCredentialChanges, asking_credentials
from command_api.postgres.kept import KeptKeys
from command_api.postgres.migrating import migrate
from command_api.postgres.publishing import Publishing
from command_api.postgres.rebuild import decision_digest
from command_api.postgres.relay import Relay
from command_api.postgres.store import MOST_WAITING, PostgresCommandStore
from events.codec import Codec
from events.ids import HybridClock
from events.log import LogUnavailable, New, Positions
from events.postgres.connections import open_pool
from events.postgres.keys import PostgresKeys
from events.sealing import MasterKeys, Sealer
from runtime.embedded.log_db import LogDb, open_reader
from tests.contracts.embedded import EMAIL_KEY, Clock

_numbers = count(1)
MASTERS = MasterKeys.generate()


def on_another_loop(work):
    """Run a coroutine function from where there is a loop already."""
    with ThreadPoolExecutor(1) as thread:
        return thread.submit(lambda: asyncio.run(work())).result()


@cache
def template(url):
    """A database with all tables and no rows, made once for each process of tests."""
    name = f"minitwitter_template_{getpid()}"
    with psycopg.connect(url, autocommit=True) as connection:
        connection.execute(f"DROP DATABASE IF EXISTS {name}")
        connection.execute(f"CREATE DATABASE {name}")
    on_another_loop(lambda: migrate(make_conninfo(url, dbname=name)))
    return name


@contextmanager
def a_database(url, like=None):
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

    def __init__(self, directory: Path, clock, partitions=1):
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
        self.away = False
        self.published = []
        """The ids of what was appended, in order."""
        self.waiting = asyncio.Event()
        self._open = asyncio.Event()
        self._open.set()

    def hold(self):
        """From now on records wait."""
        self._open.clear()
        self.waiting.clear()

    def release(self):
        """They go on."""
        self._open.set()

    def publisher(self, sealer):
        """Somebody who publishes, with the keys that records were sealed with."""
        return LogPublisher(self, sealer)

    async def append(self, new):
        """What stands in the log has its own seal."""
        subject = self.db.codec.subject(new.event)
        if subject is not None:
            await self.db.commits.run(lambda: self.db.keys.create(subject))
        return await self.log.append([new])

    async def close(self):
        self.release()
        await self.db.close()


class LogPublisher:
    """The Publisher port on such a log."""

    def __init__(self, log, sealer):
        self._log = log
        self._codec = Codec(sealer)

    async def publish(self, records):
        """Append them one by one."""
        self._log.waiting.set()
        await self._log._open.wait()
        if self._log.away:
            raise LogUnavailable("the log is away")
        positions = Positions()
        for record in records:
            parsed = self._codec.parse(record.type, record.version, record.value, record.about.id)
            new = New(self._codec.finish(parsed), record.about)
            positions = positions.merged(await self._log.append(new))
            self._log.published.append(record.about.id)
        return positions


async def _on_the_loop(work):
    work()


class _Store:
    """The store, opened when it is first used: tests make their systems without waiting for them."""

    def __init__(self, system):
        self._system = system

    async def execute(self, *arguments):
        return await (await self._system.opened()).execute(*arguments)

    async def execute_some(self, *arguments):
        return await (await self._system.opened()).execute_some(*arguments)

    async def ask(self, *questions):
        return await (await self._system.opened()).ask(*questions)

    async def forget_old_answers(self, *most):
        return await (await self._system.opened()).forget_old_answers(*most)


class PostgresSystem:
    """One process of the command side. Several share a database and a log, each with its own clock."""

    keys_come_with_the_log = True

    def __init__(
        self,
        url,
        directory,
        *,
        partitions=1,
        clock=None,
        private=None,
        tables=(),
        log=None,
        publisher=None,
        owner=None,
        seed=7,
        most_waiting=MOST_WAITING,
        bound_s=None,
        masters=MASTERS,
        check=lambda record: None,
        kept=None,
    ):
        self.url = url
        self.clock = clock or Clock()
        self.ids = HybridClock(self.clock, random.Random(seed).randbytes)
        self._owns_log = log is None
        self.disk = log or Log(directory, self.clock, partitions)
        self.log = self.disk.log
        self._private, self._tables = private or {}, tables
        self._most_waiting = most_waiting
        self._bound = {} if bound_s is None else {"bound_s": bound_s}
        self._publisher = publisher
        self._check = check
        self._kept = kept
        self.owner = owner or f"process {next(_numbers)}"
        self.revoked = []
        self.sealer = Sealer(masters)
        self.store = _Store(self)
        self._opening = None

    async def opened(self):
        """The store itself."""
        if self._opening is None:
            self._opening = asyncio.ensure_future(self._open())
        return await asyncio.shield(self._opening)

    async def _open(self):
        self.pool = open_pool(self.url)
        await self.pool.open(wait=True)
        async with self.pool.connection() as connection:
            for table in self._tables:
                await connection.execute(table)
        self.keys = PostgresKeys(self.pool, self.sealer)
        changes = PostgresCredentialChanges(self.clock, 3_600_000)
        noted = {kind: _as_statement(*how) for kind, how in self._private.items()}
        kept = None if self._kept is None else KeptKeys(self.pool, self._kept)
        publisher = self._publisher or self.disk.publisher(self.sealer)
        self.publishing = Publishing(self.pool, publisher, kept=kept, **self._bound)
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

    async def close(self):
        await self.stop()
        if self._owns_log:
            await self.disk.close()

    async def stop(self):
        """End the process; the log is another's."""
        if self._opening is not None:
            await (await self.opened()).close()
            await self.pool.close()
            self._opening = None

    async def restart(self, *, clock=None):
        """Stop and start again, perhaps with another clock."""
        await self.stop()
        self.clock = clock or self.clock
        self.ids = HybridClock(self.clock, random.Random(8).randbytes)
        self.owner = f"process {next(_numbers)}"

    def elsewhere(self):
        """The log as another process reads it."""
        return open_reader(self.disk.directory)

    def select(self, query):
        """Rows of the database."""
        with psycopg.connect(self.url) as connection:
            return connection.execute(query).fetchall()

    async def tamper(self, statement):
        """Change the database behind everybody's back."""
        with psycopg.connect(self.url) as connection:
            connection.execute(statement)

    def snapshot(self):
        """Positions and digest of the decision state, while nothing is written."""

        async def take():
            async with await psycopg.AsyncConnection.connect(self.url) as connection:
                return await decision_digest(connection)

        return Snapshot(self.disk.db.table.ends(), on_another_loop(take))


def _as_statement(sql, values):
    return lambda change: [(sql.replace("?", "%s"), values(change))]


SOON_S = 20
"""Within which what has to happen does; far more than it takes."""


async def until(condition):
    """Wait for a condition."""
    async with asyncio.timeout(SOON_S):
        while not condition():  # noqa: ASYNC110  what is waited for happens in the database
            await asyncio.sleep(0.02)


@asynccontextmanager
async def relaying(url, publisher, **options):
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

    def __init__(self, url, directory, partitions=1, masters=MASTERS):
        self.url = url
        self.masters = masters
        self.clock = Clock()
        self.partitions = partitions
        self.log = Log(directory / "log", self.clock, partitions)
        self.processes = []

    def process(self, **options):
        """A process of the command side."""
        made = PostgresSystem(
            self.url,
            None,
            **{"log": self.log, "clock": self.clock, "seed": next(_numbers), "masters": self.masters} | options,
        )
        self.processes.append(made)
        return made

    @asynccontextmanager
    async def relay(self, **options):
        """A relay. What it publishes is opened with the keys of the processes."""
        async with relaying(self.url, self.log.publisher(self.processes[0].sealer), **options) as relay:
            yield relay

    def waiting(self):
        """The rows that wait: number, key, owner."""
        return self.processes[0].select("SELECT number, key, owner FROM outbox WHERE published IS NULL ORDER BY number")

    async def drained(self):
        """Wait until nothing waits."""
        await until(lambda: not self.waiting())

    async def records(self):
        return await self.log.log.read({}, 1_000_000)

    async def close(self):
        self.log.release()
        for process in self.processes:
            await process.stop()
        await self.log.close()


@asynccontextmanager
async def a_world(url, directory, partitions=1):
    """One in a database of its own, closed at the end."""
    with a_database(url, template(url)) as database:
        made = World(database, directory, partitions=partitions)
        try:
            yield made
        finally:
            await made.close()
