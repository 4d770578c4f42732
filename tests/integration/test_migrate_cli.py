"""`minitwitter migrate`, and processes whose stores are not migrated, or are of another version of the software."""

import uuid
from collections.abc import Iterator
from pathlib import Path

import psycopg
import pytest

from bench.served import free_port
from stores.cassandra.address import Address
from stores.cassandra.migrating import migrations
from stores.cassandra.session import connected
from tests.integration.installation import Installation
from tests.stores.on_cassandra import drop

pytestmark = [pytest.mark.engines, pytest.mark.slow]

NEWEST = migrations()[-1]


@pytest.fixture
def installation(tmp_path: Path, kafka: str, postgres: str, cassandra: str, redis: str) -> Iterator[Installation]:
    url = f"{cassandra.rstrip('/')}/migrated_{uuid.uuid4().hex[:12]}"
    yield Installation(tmp_path, kafka, postgres, cassandra=url, redis=redis).set_up()
    drop(Address.parse(url))


def refused(installation: Installation, *words: str) -> str:
    """What a command says that is refused: one line."""
    done = installation.command(*words)
    assert done.returncode == 4, done.stderr
    [line] = [line for line in done.stderr.splitlines() if line.startswith("minitwitter: ")]
    assert "Traceback" not in done.stderr
    return line


def test_stores_of_another_version_are_refused_in_one_line_and_what_is_missing_names_the_command(
    installation: Installation,
) -> None:
    address = Address.parse(installation.environment["MINITWITTER_CASSANDRA_URL"])
    cluster, session = connected(address)
    table = f"{address.keyspace}.migrations"
    try:
        session.execute(f"INSERT INTO {table} (number, name, checksum) VALUES (999, 'later', 'x')")
        assert "has migration 999: it is of a newer version" in refused(installation, "migrate")
        session.execute(f"DELETE FROM {table} WHERE number=999")
        session.execute(f"UPDATE {table} SET checksum='other' WHERE number={NEWEST.number}")
        assert f"{NEWEST.name} was applied" in refused(installation, "migrate")
        session.execute(f"DELETE FROM {table} WHERE number={NEWEST.number}")
    finally:
        cluster.shutdown()
    with psycopg.connect(installation.url, autocommit=True) as connection:
        [(name,)] = connection.execute(
            "DELETE FROM search.migrations WHERE number = (SELECT max(number) FROM search.migrations) RETURNING name"
        ).fetchall()
    for words in (("work", "streams"), ("serve", "query")):
        line = refused(installation, *words, "--port", str(free_port()))
        assert f"lacks {NEWEST.number:03}_{NEWEST.name}" in line
        assert f"PostgreSQL's schema search lacks {name}" in line
        assert "run `minitwitter migrate`" in line
