"""A process is notified of a pointer that moves, on a connection that it keeps, and connects again if that is lost."""

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

import psycopg
import pytest

from stores.postgres import pointers
from stores.postgres.pointers import Pointer, Pointers
from tests.on_postgres import a_database

pytestmark = pytest.mark.engines

SOON = 30
FIRST, SECOND = Pointer("g1", None), Pointer("g2", "g1")
LISTENING = "FROM pg_stat_activity WHERE datname = current_database() AND pid <> pg_backend_pid()"


@pytest.fixture
async def url(postgres: str) -> AsyncIterator[str]:
    with a_database(postgres) as database:
        await Pointers(database).migrate()
        yield database


@pytest.fixture
def never_polling(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(pointers, "LOOK_S", 3600.0)


@asynccontextmanager
async def waiting(
    url: str, seen: dict[str, Pointer]
) -> AsyncIterator[tuple[asyncio.Task[dict[str, Pointer]], psycopg.AsyncConnection]]:
    """A task that waits for a move, and a connection that observes it."""
    async with await psycopg.AsyncConnection.connect(url, autocommit=True) as connection:
        task = asyncio.create_task(Pointers(url).moved_from(seen))
        try:
            yield task, connection
        finally:
            task.cancel()
            await asyncio.wait((task,))


async def listener(connection: psycopg.AsyncConnection, but: tuple[int, ...] = ()) -> int:
    """Wait for a connection that listens and has read, other than those in `but`; return its process id."""
    deadline = asyncio.get_running_loop().time() + SOON
    while True:
        cursor = await connection.execute(f"SELECT pid {LISTENING} AND query LIKE '%FROM places' AND state = 'idle'")
        found: set[int] = {pid for (pid,) in await cursor.fetchall()} - set(but)
        if found:
            (pid,) = found
            return pid
        assert asyncio.get_running_loop().time() < deadline
        await asyncio.sleep(0.02)


@pytest.mark.usefixtures("never_polling")
async def test_a_move_is_notified_at_once(url: str) -> None:
    await Pointers(url).move("counts", FIRST)
    async with waiting(url, {"counts": FIRST}) as (task, connection):
        await listener(connection)
        assert not task.done()
        await Pointers(url).move("counts", SECOND)
        assert await asyncio.wait_for(task, SOON) == {"counts": SECOND}


@pytest.mark.usefixtures("never_polling")
async def test_a_move_is_notified_after_the_connection_was_lost(url: str) -> None:
    async with waiting(url, {}) as (task, connection):
        lost = await listener(connection)
        await connection.execute("SELECT pg_terminate_backend(%s)", (lost,))
        await listener(connection, but=(lost,))
        await Pointers(url).move("counts", FIRST)
        assert await asyncio.wait_for(task, SOON) == {"counts": FIRST}


async def test_a_move_without_a_notification_is_found_by_polling_on_the_same_connection(
    url: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(pointers, "LOOK_S", 0.02)
    async with waiting(url, {}) as (task, connection):
        first = await listener(connection)
        cursor = await connection.execute(f"SELECT query_start {LISTENING}")
        [(since,)] = await cursor.fetchall()
        deadline = asyncio.get_running_loop().time() + SOON
        while True:
            cursor = await connection.execute(f"SELECT query_start, pid {LISTENING}")
            [(start, pid)] = await cursor.fetchall()
            assert pid == first
            if start > since:
                break
            assert asyncio.get_running_loop().time() < deadline
            await asyncio.sleep(0.02)
        await connection.execute("INSERT INTO read_models.places (store, place) VALUES ('counts', 'g1')")
        assert await asyncio.wait_for(task, SOON) == {"counts": FIRST}


async def test_a_pointer_that_has_moved_already_is_returned_without_waiting(url: str) -> None:
    await Pointers(url).move("counts", FIRST)
    assert await asyncio.wait_for(Pointers(url).moved_from({}), SOON) == {"counts": FIRST}


async def test_a_database_without_the_table_has_no_pointers_and_is_waited_on(postgres: str) -> None:
    with a_database(postgres) as database:
        async with waiting(database, {}) as (task, connection):
            await listener(connection)
            assert not task.done()
