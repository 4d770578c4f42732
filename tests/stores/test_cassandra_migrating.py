"""Migrations of a keyspace: once each, in order, from one host at a time."""

from __future__ import annotations

import asyncio
import dataclasses
import uuid
from collections.abc import Iterator
from pathlib import Path

import pytest

from events.migrations import MigrationRefused
from runtime.distributed.models.catalogue import on_cassandra
from stores.cassandra import migrating
from stores.cassandra.address import Address
from stores.cassandra.digest import BUCKETS, OF_FAN_OUT
from stores.cassandra.migrating import Migration, migrate, migrations, pending
from stores.cassandra.session import CassandraSession, connected
from stores.sink import StoreUnavailable
from tests.stores.on_cassandra import drop

pytestmark = pytest.mark.engines

ONE = Migration(1, "one", ("CREATE TABLE first (a int PRIMARY KEY)",), "c1")
TWO = Migration(2, "two", ("ALTER TABLE first ADD b int", "CREATE TABLE second (a int PRIMARY KEY)"), "c2")


@pytest.fixture
def address(cassandra: str) -> Iterator[Address]:
    address = dataclasses.replace(Address.parse(cassandra), keyspace=f"test_{uuid.uuid4().hex[:12]}")
    yield address
    drop(address)


async def columns(address: Address) -> set[tuple[str, str]]:
    session = await CassandraSession.connect(address)
    query = "SELECT table_name, column_name FROM system_schema.columns WHERE keyspace_name=?"
    rows = await session.read(query, (address.keyspace,))
    await session.close()
    return {(table, column) for table, column in rows if not table.startswith("migrat")}


async def test_migrations_are_applied_once_and_later_ones_follow(address: Address) -> None:
    assert await migrate(address, steps=[ONE]) == ["001_one"]
    assert await migrate(address, steps=[ONE]) == []
    assert await migrate(address, steps=[ONE, TWO]) == ["002_two"]
    assert await columns(address) == {("first", "a"), ("first", "b"), ("second", "a")}


async def test_of_two_hosts_that_migrate_at_once_one_migrates_and_the_other_waits(address: Address) -> None:
    done = await asyncio.gather(*(migrate(address, steps=[ONE, TWO]) for _ in range(2)))
    assert sorted(done) == [[], ["001_one", "002_two"]]


async def test_an_interrupted_migration_is_applied_again(address: Address) -> None:
    broken = TWO._replace(statements=(*TWO.statements, "CREATE TABLE nonsense"))
    with pytest.raises(Exception, match=r"nonsense|no viable|mismatched"):
        await migrate(address, steps=[ONE, broken])
    assert await migrate(address, steps=[ONE, TWO]) == ["002_two"]
    assert ("second", "a") in await columns(address)


async def test_a_migration_that_was_changed_after_it_was_applied_is_refused(address: Address) -> None:
    await migrate(address, steps=[ONE])
    with pytest.raises(MigrationRefused, match="001_one"):
        await migrate(address, steps=[ONE._replace(checksum="other"), TWO])
    assert ("second", "a") not in await columns(address)


async def test_a_keyspace_of_newer_software_is_left_alone(address: Address) -> None:
    await migrate(address, steps=[ONE, TWO])
    with pytest.raises(MigrationRefused, match="002"):
        await migrate(address, steps=[ONE])


async def test_a_host_that_died_while_it_migrated_blocks_the_others_until_its_lease_expires(
    address: Address, monkeypatch: pytest.MonkeyPatch
) -> None:
    await migrate(address, steps=[ONE])
    monkeypatch.setattr(migrating, "LEASE_S", 5)

    def die() -> None:
        cluster, session = connected(address)
        migrating._Lease(session, address.keyspace, 0).take()
        cluster.shutdown()

    await asyncio.to_thread(die)
    with pytest.raises(StoreUnavailable, match="another host"):
        await migrate(address, steps=[ONE, TWO], patience_s=0.5)
    assert await migrate(address, steps=[ONE, TWO], patience_s=60) == ["002_two"]


async def test_every_table_of_the_migrations_is_of_a_read_model_or_of_the_sink(address: Address) -> None:
    created = {line.split()[2] for step in migrations() for line in step.statements if line.startswith("CREATE TABLE")}
    known = {table for model in on_cassandra().values() for table in model.tables}
    known |= {BUCKETS, "positions", "newest", *OF_FAN_OUT}
    assert created == known


def test_a_migration_that_is_missing_is_noticed(tmp_path: Path) -> None:
    for name in ("001_one.cql", "003_three.cql"):
        (tmp_path / name).write_text("CREATE TABLE t (a int PRIMARY KEY);\n")
    with pytest.raises(MigrationRefused, match="002"):
        migrations(tmp_path)


async def test_pending_migrations_are_listed(address: Address) -> None:
    session = await CassandraSession.connect(address)
    try:
        assert await pending(session, address.keyspace, [ONE, TWO]) == ["001_one", "002_two"]
        await migrate(address, steps=[ONE])
        assert await pending(session, address.keyspace, [ONE, TWO]) == ["002_two"]
        with pytest.raises(MigrationRefused, match="001_one"):
            await pending(session, address.keyspace, [ONE._replace(checksum="other")])
        with pytest.raises(MigrationRefused, match="has migration 001: it is of a newer version"):
            await pending(session, address.keyspace, [])
    finally:
        await session.close()
