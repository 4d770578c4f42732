"""Migrations of PostgreSQL: forward only, once each, from however many hosts."""

import asyncio
import shutil
from collections.abc import Iterator
from pathlib import Path

import psycopg
import pytest

from command_api.decision_rows import BY_NAME, TABLES, columns
from command_api.postgres.migrating import MIGRATIONS, migrate, pending
from events.log import LogUnavailable
from events.migrations import MigrationRefused
from tests.on_postgres import a_database

pytestmark = pytest.mark.engines

NAMES = [path.name for path in sorted(MIGRATIONS.glob("*.sql"))]


@pytest.fixture
def database(postgres: str) -> Iterator[str]:
    with a_database(postgres) as url:
        yield url


@pytest.fixture
def files(tmp_path: Path) -> Path:
    """A copy of the migration files that a test can change."""
    return shutil.copytree(MIGRATIONS, tmp_path / "migrations")


def tables(url: str) -> set[str]:
    with psycopg.connect(url) as connection:
        return {name for (name,) in connection.execute("SELECT tablename FROM pg_tables WHERE schemaname='public'")}


async def missing(url: str, directory: Path = MIGRATIONS) -> list[str]:
    async with await psycopg.AsyncConnection.connect(url, autocommit=True) as connection:
        return await pending(connection, directory)


async def test_an_empty_database_gets_every_table(database: str) -> None:
    assert await missing(database) == NAMES
    assert await migrate(database) == NAMES
    assert {*BY_NAME, "outbox", "entities", "idempotency", "subject_keys", "passwords"} <= tables(database)
    assert await missing(database) == []


async def test_the_decision_state_has_the_columns_and_keys_that_are_declared(database: str) -> None:
    await migrate(database)
    with psycopg.connect(database) as connection:
        for row, table in TABLES.items():
            found = connection.execute(
                "SELECT attname, atttypid::regtype::text FROM pg_attribute WHERE attrelid=%s::regclass AND attnum > 0",
                (table.name,),
            ).fetchall()
            kinds = {"text": str, "bytea": bytes}
            assert {name: kinds.get(type_, int) for name, type_ in found} == {
                name: column.kind for name, column in columns(row).items()
            }
            indexes = connection.execute(
                "SELECT indkey::int2[], indisprimary FROM pg_index WHERE indrelid=%s::regclass AND indisunique",
                (table.name,),
            ).fetchall()
            names = list(columns(row))
            unique = {(tuple(names[place - 1] for place in places), primary) for places, primary in indexes}
            assert unique == {(table.key, True), *(((name,), False) for name in table.unique)}


async def test_a_second_run_changes_nothing(database: str) -> None:
    await migrate(database)
    before = tables(database)
    assert await migrate(database) == []
    assert tables(database) == before


async def test_of_many_hosts_at_once_one_migrates_and_the_others_find_nothing_to_do(database: str) -> None:
    done = await asyncio.gather(*(migrate(database) for _ in range(5)))
    assert sorted(done) == [[], [], [], [], NAMES]


async def test_a_new_file_is_applied_to_what_is_there(database: str, files: Path) -> None:
    await migrate(database, files)
    new = f"{len(NAMES) + 1:03}_another.sql"
    (files / new).write_text("CREATE TABLE another (a integer);")
    assert await missing(database, files) == [new]
    assert await migrate(database, files) == [new]
    assert "another" in tables(database)


async def test_a_file_that_fails_leaves_nothing_of_itself_and_all_before_it(database: str, files: Path) -> None:
    (files / f"{len(NAMES) + 1:03}_faulty.sql").write_text("CREATE TABLE half (a integer); SELECT nonsense;")
    with pytest.raises(psycopg.errors.UndefinedColumn):
        await migrate(database, files)
    assert "outbox" in tables(database)
    assert "half" not in tables(database)
    assert await migrate(database) == []


async def test_a_file_that_was_changed_after_it_was_applied_is_refused(database: str, files: Path) -> None:
    await migrate(database, files)
    with (files / NAMES[1]).open("a") as file:
        file.write("-- changed\n")
    with pytest.raises(MigrationRefused, match=rf"{NAMES[1]} was applied and has been changed"):
        await migrate(database, files)


async def test_a_database_of_a_newer_version_is_refused(database: str, files: Path) -> None:
    await migrate(database)
    (files / NAMES[-1]).unlink()
    with pytest.raises(MigrationRefused, match="newer version"):
        await migrate(database, files)


async def test_a_gap_in_the_numbers_is_refused(database: str, files: Path) -> None:
    (files / NAMES[1]).unlink()
    with pytest.raises(MigrationRefused, match="should begin with 002_"):
        await migrate(database, files)


async def test_a_server_that_is_unavailable_is_no_fault_of_the_files() -> None:
    with pytest.raises(LogUnavailable):
        await migrate("postgresql://127.0.0.1:1/nowhere")
