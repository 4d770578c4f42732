"""A keyspace with one read model and the sinks of its groups, for the contract of the Sink port."""

import asyncio
import dataclasses
import time
import uuid
from collections.abc import Iterator

import pytest

from events.event import Envelope
from events.ids import EventId, Millis, first_id_at
from stores.cassandra.address import Address
from stores.cassandra.migrating import migrate, migrations
from stores.cassandra.session import CassandraSession, connected
from stores.cassandra.sink import CassandraSink
from tests.stores.link import Link
from tests.stores.on_cassandra import drop

RECONNECTED_S = 20


@pytest.fixture(scope="module")
def sink_keyspace(cassandra: str) -> Iterator[Address]:
    """Create a keyspace with the tables of sinks and a table of notes; yield its address."""
    address = dataclasses.replace(Address.parse(cassandra), keyspace=f"sink_{uuid.uuid4().hex[:12]}")
    asyncio.run(migrate(address, steps=[step for step in migrations() if step.name in ("landing", "marks")]))
    cluster, session = connected(address)
    session.execute(f"CREATE TABLE {address.keyspace}.notes (text text PRIMARY KEY)", timeout=60)
    cluster.shutdown()
    yield address
    drop(address)


class CassandraSinks:
    """The sinks of an emptied keyspace. They connect through a link that a test can cut."""

    def __init__(self, keyspace: Address) -> None:
        self._direct = keyspace
        self._link = Link(*self._direct.hosts[0])
        self._address = dataclasses.replace(self._direct, hosts=(("127.0.0.1", self._link.port),))
        self._cluster, self._session = connected(self._direct)
        for table in ("positions", "newest", "notes"):
            self._run(f"TRUNCATE {self._direct.keyspace}.{table}")
        self._opened: CassandraSession | None = None
        self._event = 0

    @property
    def sink(self) -> CassandraSink:
        """Return the sink of the group `serving`, on the event loop of the test."""
        if self._opened is None:
            self._opened = CassandraSession(*connected(self._address))
            self._serving = self.group("serving")
        return self._serving

    def close(self) -> None:
        self._end()
        self._link.close()
        self._cluster.shutdown()

    def restart(self) -> None:
        self._end()

    def group(self, name: str) -> CassandraSink:
        assert self._opened is not None
        return CassandraSink(self._opened, self._direct.keyspace, name)

    def write(self, text: str) -> None:
        self._event += 1
        self.sink.applying(Envelope(EventId(first_id_at(Millis(self._event))), Millis(0)), None)
        insert = f"INSERT INTO {self._direct.keyspace}.notes (text) VALUES (?) USING TIMESTAMP ?"
        self.sink.write(insert, text, self.sink.stamp)

    def notes(self) -> list[str]:
        """Return the stored notes."""
        return sorted(text for (text,) in self._run(f"SELECT text FROM {self._direct.keyspace}.notes"))

    def lose(self) -> None:
        """Delete all data."""
        for table in ("positions", "newest", "notes"):
            self._run(f"TRUNCATE {self._direct.keyspace}.{table}")

    def fill(self) -> None:
        """Cut the link. A node's disk cannot be filled here; the sink treats an unreachable node alike."""
        self._link.cut()

    def make_room(self) -> None:
        self._link.mend()
        assert self._opened is not None
        deadline = time.monotonic() + RECONNECTED_S
        while not any(pool["open_count"] for pool in self._opened._session.get_pool_state().values()):
            assert time.monotonic() < deadline, "the driver did not come back"
            time.sleep(0.02)

    def lock(self, on: bool) -> None:
        if on:
            assert self.sink is not None
            self.fill()
        else:
            self.make_room()

    def _end(self) -> None:
        if self._opened is not None:
            self._opened._cluster.shutdown()
        self._opened = None

    def _run(self, statement: str) -> list[tuple[str]]:
        return list(self._session.execute(statement, timeout=60))
