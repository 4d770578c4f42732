"""Engines are all connected or none is: after one was unavailable, nothing that was opened before it stays open."""

from __future__ import annotations

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from types import SimpleNamespace
from typing import Any

import pytest

from runtime.distributed import engines
from runtime.distributed.engines import Engines
from runtime.distributed.settings import DistributedSettings
from runtime.settings import Settings
from stores.sink import StoreUnavailable

SETTINGS = DistributedSettings.of(
    Settings.model_validate(
        {
            "kafka_url": "127.0.0.1:9092",
            "postgres_url": "postgresql://a@127.0.0.1/b",
            "cassandra_url": "cassandra://127.0.0.1/ks",
            "redis_url": "redis://127.0.0.1/0",
        }
    )
)
PARTS = ["decisions", "letters", "cassandra", "redis", "log"]


class Connections:
    """Stands in for the engines' clients, and notes which are open. `unavailable` cannot be connected to."""

    def __init__(self, unavailable: str = "") -> None:
        self.unavailable = unavailable
        self.open: list[str] = []
        self.closed: list[str] = []

    def connect(self, name: str) -> Any:
        if name == self.unavailable:
            raise StoreUnavailable(name)
        self.open.append(name)

        async def close() -> None:
            self.open.remove(name)
            self.closed.append(name)

        return SimpleNamespace(close=close, aclose=close)

    @asynccontextmanager
    async def within(self, name: str, value: Any = None) -> AsyncIterator[Any]:
        connection = self.connect(name)
        try:
            yield connection if value is None else value
        finally:
            await connection.close()


def patched(monkeypatch: pytest.MonkeyPatch, connections: Connections) -> None:
    async def nothing(*_: object) -> dict[str, object]:
        return {}

    async def cassandra(address: object) -> Any:
        return connections.connect("cassandra")

    database = ("a pool", SimpleNamespace(sealer=None))
    monkeypatch.setattr(engines, "decision_database", lambda *_, **__: connections.within("decisions", database))
    monkeypatch.setattr(engines, "recover_keys", nothing)
    monkeypatch.setattr(engines, "Pointers", lambda url: SimpleNamespace(read=nothing))
    monkeypatch.setattr(engines, "pool_of", lambda url: connections.within("letters"))
    monkeypatch.setattr(engines, "CassandraSession", SimpleNamespace(connect=cassandra))
    monkeypatch.setattr(engines, "check_read_models", nothing)
    monkeypatch.setattr(engines, "connect", lambda url: connections.connect("redis"))
    monkeypatch.setattr(engines, "log_reader", lambda *_: connections.within("log"))


async def test_all_engines_are_connected_and_closed_in_the_opposite_order(monkeypatch: pytest.MonkeyPatch) -> None:
    connections = Connections()
    patched(monkeypatch, connections)
    async with Engines.open(SETTINGS):
        assert connections.open == PARTS
    assert connections.closed == PARTS[::-1]


@pytest.mark.parametrize("unavailable", PARTS)
async def test_engines_that_were_connected_are_closed_if_another_is_unavailable(
    monkeypatch: pytest.MonkeyPatch, unavailable: str
) -> None:
    connections = Connections(unavailable)
    patched(monkeypatch, connections)
    with pytest.raises(StoreUnavailable, match=unavailable):
        async with Engines.open(SETTINGS):
            pass
    assert (connections.open, connections.closed) == ([], PARTS[: PARTS.index(unavailable)][::-1])
