"""The adapters that every contract suite runs against, each with the same interface (embedded.py)."""

from collections.abc import AsyncIterator
from contextlib import ExitStack
from pathlib import Path
from typing import Any

import pytest

from tests.contracts.cassandra_sinks import sink_keyspace as sink_keyspace
from tests.contracts.commands import Open, System
from tests.contracts.embedded import Embedded
from tests.contracts.redis_sinks import redis_clients as redis_clients
from tests.on_postgres import PostgresSystem, a_database, template

PROFILES = ["sqlite", pytest.param("postgres", marks=pytest.mark.engines)]


@pytest.fixture(params=PROFILES)
async def make(request: pytest.FixtureRequest, tmp_path: Path) -> AsyncIterator[Open]:
    """Open systems, and close them after the test."""
    opened: list[System] = []
    with ExitStack() as databases:

        def made(name: str = "data", **options: Any) -> System:
            if request.param == "postgres":
                url = request.getfixturevalue("postgres")
                database = databases.enter_context(a_database(url, template(url)))
                opened.append(PostgresSystem(database, tmp_path / name, **options))
            else:
                opened.append(Embedded(tmp_path / name, **options))
            return opened[-1]

        yield made
        for one in opened:
            one.disk.release()
            await one.close()


@pytest.fixture
def system(make: Open) -> System:
    """A system with one partition for each topic."""
    return make()


def pytest_collection_modifyitems(config: pytest.Config, items: list[pytest.Item]) -> None:
    """Run tests of promises that only SQLite makes on SQLite only."""
    asked = [item for item in items if not (item.get_closest_marker("sqlite_alone") and "postgres" in item.name)]
    config.hook.pytest_deselected(items=[item for item in items if item not in asked])
    items[:] = asked
