"""The session: concurrent statements, a cluster that is unavailable and comes back, errors in statements."""

from __future__ import annotations

import asyncio
import dataclasses
import socket
import struct
import time
from collections.abc import AsyncIterator, Iterator

import pytest
from cassandra import InvalidRequest
from cassandra.policies import NoSpeculativeExecutionPolicy

from stores.cassandra.address import Address
from stores.cassandra.session import MOST_IN_FLIGHT, CassandraSession, connected, grouped
from stores.sink import StoreUnavailable
from tests.stores.link import Link
from tests.stores.on_cassandra import drop

pytestmark = pytest.mark.engines

KEYSPACE = "test_session"
INSERT = f"INSERT INTO {KEYSPACE}.pairs (a, b, c) VALUES (?, ?, ?) USING TIMESTAMP ?"
SELECT = f"SELECT b, c FROM {KEYSPACE}.pairs WHERE a=?"


@pytest.fixture(scope="module")
def address(cassandra: str) -> Iterator[Address]:
    address = dataclasses.replace(Address.parse(cassandra), keyspace=KEYSPACE)
    drop(address)
    cluster, session = connected(address)
    replication = f"{{'class': 'NetworkTopologyStrategy', '{address.datacenter}': 1}}"
    session.execute(f"CREATE KEYSPACE {KEYSPACE} WITH replication = {replication}", timeout=60)
    session.execute(f"CREATE TABLE {KEYSPACE}.pairs (a int, b int, c text, PRIMARY KEY ((a), b))", timeout=60)
    cluster.shutdown()
    yield address
    drop(address)


@pytest.fixture
async def session(address: Address) -> AsyncIterator[CassandraSession]:
    session = await CassandraSession.connect(address)
    yield session
    await session.close()


async def test_more_writes_than_may_be_in_flight_are_all_made(session: CassandraSession) -> None:
    await session.write((INSERT, (1000 + n, 0, "x", 1)) for n in range(3 * MOST_IN_FLIGHT))

    keys = range(1000, 1000 + 3 * MOST_IN_FLIGHT)
    rows = await session.read_by_keys(f"SELECT a FROM {KEYSPACE}.pairs WHERE a IN ?", keys)
    assert sorted(a for (a,) in rows) == list(keys)


async def test_writes_of_one_partition_are_sent_together(session: CassandraSession) -> None:
    statements = await session.bound((INSERT, (n % 3, n, "x" * 300, 1)) for n in range(30))
    assert len(grouped(statements)) == 3
    await session.send(statements)
    assert [b for b, _ in await session.read(SELECT, (1,))] == list(range(1, 30, 3))


async def test_partitions_with_few_rows_share_batches_that_are_below_the_warning_size(
    session: CassandraSession,
) -> None:
    statements = await session.bound((INSERT, (n, 0, "x" * (n % 200), 1)) for n in range(2000, 2100))
    batches = grouped(statements)
    assert 10 <= len(batches) <= 12
    assert sum(len(batch._statements_and_parameters) for batch in batches) == 100
    await session.send(statements)
    rows = await session.read_by_keys(f"SELECT a FROM {KEYSPACE}.pairs WHERE a IN ?", range(2000, 2100))
    assert len(rows) == 100


async def test_partitions_of_different_nodes_share_no_batch(session: CassandraSession) -> None:
    statements = await session.bound((INSERT, (n, 0, "x", 1)) for n in range(20))
    first = {id(statement) for statement in statements[::2]}
    batches = grouped(statements, lambda statement: id(statement) in first)
    assert [len(batch._statements_and_parameters) for batch in batches] == [10, 10]
    together = {
        tuple(sorted(struct.unpack(">i", values[0])[0] % 2 for _, _, values in batch._statements_and_parameters))
        for batch in batches
    }
    assert together == {(0,) * 10, (1,) * 10}


def test_requests_are_sent_without_nagles_delay(address: Address) -> None:
    cluster, session = connected(address)
    try:
        connections = [c for pool in session.get_pools() for c in pool.get_connections()]
        assert connections
        assert all(c._socket.getsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY) for c in connections)
    finally:
        cluster.shutdown()


async def test_a_query_with_several_pages_of_the_driver_returns_all_rows(session: CassandraSession) -> None:
    await session.write((INSERT, (7, n, "x", 1)) for n in range(12_000))
    assert [b for b, _ in await session.read(SELECT, (7,))] == list(range(12_000))


async def test_of_two_writes_the_later_timestamp_wins_in_any_order(
    session: CassandraSession,
) -> None:
    await session.write([(INSERT, (8, 1, "new", 20))])
    await session.write([(INSERT, (8, 1, "old", 10))])
    assert await session.read(SELECT, (8,)) == [(1, "new")]


async def test_none_in_an_insert_leaves_a_column_as_it_is(session: CassandraSession) -> None:
    await session.write([(INSERT, (9, 1, "there", 10))])
    await session.write([(INSERT, (9, 1, None, 20))])
    assert await session.read(SELECT, (9,)) == [(1, "there")]


async def test_a_mistake_in_a_statement_is_no_outage(session: CassandraSession) -> None:
    with pytest.raises(InvalidRequest):
        await session.read("SELECT a FROM test_session.nothing")


async def test_only_reads_are_retried_on_a_second_replica(session: CassandraSession) -> None:
    profiles = session._cluster.profile_manager.profiles
    speculating = [
        name
        for name, profile in profiles.items()
        if not isinstance(profile.speculative_execution_policy, NoSpeculativeExecutionPolicy)
    ]
    assert speculating == ["read"]


async def test_a_cluster_that_is_not_there_is_unavailable(address: Address) -> None:
    link = Link(*address.hosts[0])
    link.cut()
    with pytest.raises(StoreUnavailable):
        await CassandraSession.connect(dataclasses.replace(address, hosts=(("127.0.0.1", link.port),)))
    link.close()


async def test_a_session_works_again_after_the_cluster_was_unavailable(address: Address) -> None:
    link = Link(*address.hosts[0])
    session = await CassandraSession.connect(dataclasses.replace(address, hosts=(("127.0.0.1", link.port),)))
    await session.write([(INSERT, (10, 1, "before", 1))])
    link.cut()
    for work in (session.read(SELECT, (10,)), session.write([(INSERT, (10, 2, "lost", 1))])):
        with pytest.raises(StoreUnavailable):
            await work
    with pytest.raises(StoreUnavailable):
        await session.read(f"SELECT c FROM {KEYSPACE}.pairs WHERE a=?", (10,))  # which was not prepared before
    link.mend()
    deadline = time.monotonic() + 20
    while True:
        try:
            assert (1, "before") in await session.read(SELECT, (10,))
            break
        except StoreUnavailable:
            assert time.monotonic() < deadline
            await asyncio.sleep(0.05)
    await session.write([(INSERT, (10, 3, "after", 1))])
    assert (3, "after") in await session.read(SELECT, (10,))
    await session.close()
    link.close()
