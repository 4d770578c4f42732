"""Cassandra as infra/local runs it."""

from __future__ import annotations

import dataclasses

import pytest

from infra.local.cassandra import Cassandra
from infra.local.engine import EngineError
from infra.local.running import Running
from stores.cassandra.address import Address
from stores.cassandra.session import connected

pytestmark = [pytest.mark.engines, pytest.mark.slow]


def ask(url: str, *statements: str) -> list[tuple[object, ...]]:
    cluster, session = connected(Address.parse(url))
    try:
        return [row for statement in statements for row in session.execute(statement, timeout=60).all()]
    finally:
        cluster.shutdown()


def test_acknowledged_writes_survive_a_kill_and_it_listens_on_the_loopback_only(running: Running) -> None:
    engine = Cassandra()
    url = running.up(engine).url
    ask(
        url,
        "CREATE KEYSPACE k WITH replication = {'class': 'SimpleStrategy', 'replication_factor': 1}",
        "CREATE TABLE k.t (a int PRIMARY KEY)",
        *(f"INSERT INTO k.t (a) VALUES ({n})" for n in range(50)),
    )
    running.kill("cassandra")
    assert running.status(engine) == {"cassandra-0": False}
    assert running.up(engine).url == url
    assert len(ask(url, "SELECT a FROM k.t")) == 50
    assert ask(url, "SELECT listen_address, rpc_address FROM system.local") == [("127.0.0.1", "127.0.0.1")]


def test_several_nodes_are_refused(running: Running) -> None:
    with pytest.raises(EngineError, match="one node"):
        running.up(Cassandra(), servers=2)


def test_its_url_is_an_address_that_clients_take() -> None:
    url = Cassandra().url([{"native": 9042, "storage": 7000}])
    assert dataclasses.astuple(Address.parse(url))[0] == (("127.0.0.1", 9042),)
