"""Pauses: batches wait for whoever compares, never the other way round for long, and nobody who died is waited for."""

import asyncio
import contextlib
import time
import uuid
from collections.abc import AsyncIterator, Callable

import psycopg
import pytest

from stores.postgres import pauses
from stores.postgres.pauses import Landing, PauseLost, StillLanding, paused
from stores.sink import StoreUnavailable

pytestmark = pytest.mark.engines


@pytest.fixture
def name() -> str:
    return f"pause-{uuid.uuid4().hex}"


@pytest.fixture
async def landing(postgres: str, name: str) -> AsyncIterator[Landing]:
    made = Landing(postgres, name)
    yield made
    await made.close()


async def locks(connection: psycopg.AsyncConnection, number: int) -> list[bool]:
    """For each who holds an advisory lock True, for each who waits for it False."""
    sql = "SELECT granted FROM pg_locks WHERE locktype='advisory' AND objid=%s::bigint"
    cursor = await connection.execute(sql, (number & 0xFFFFFFFF,))
    return [granted for (granted,) in await cursor.fetchall()]


async def until(postgres: str, number: int, enough: Callable[[list[bool]], bool]) -> None:
    """Wait until an advisory lock is held and waited for as is enough."""
    async with await psycopg.AsyncConnection.connect(postgres, autocommit=True) as connection, asyncio.timeout(20):
        while True:
            if enough(await locks(connection, number)):
                return
            await asyncio.sleep(0.01)


async def waiting(postgres: str, number: int) -> None:
    """Wait until somebody waits for an advisory lock."""
    await until(postgres, number, lambda found: False in found)


async def land(landing: Landing, done: list[int]) -> None:
    async with landing.batch():
        done.append(1)


async def land_without_a_rest(landing: Landing, landed: asyncio.Semaphore) -> None:
    while True:
        async with landing.batch():
            await asyncio.sleep(0.02)
            landed.release()


@pytest.fixture
def sent(monkeypatch: pytest.MonkeyPatch) -> list[str]:
    """The statements that are sent from here on, by whomever."""
    found: list[str] = []
    execute = psycopg.AsyncConnection.execute

    async def noting(
        connection: psycopg.AsyncConnection, statement: str, *values: dict[str, int]
    ) -> psycopg.AsyncCursor:
        found.append(statement)
        return await execute(connection, statement, *values)

    monkeypatch.setattr(psycopg.AsyncConnection, "execute", noting)
    return found


async def test_a_batch_waits_until_the_pause_is_over(postgres: str, name: str, landing: Landing) -> None:
    done: list[int] = []
    async with paused(postgres, [name]):
        batch = asyncio.ensure_future(land(landing, done))
        await waiting(postgres, pauses._number(name))
        assert not done
    await batch
    assert done


async def test_a_pause_begins_when_the_batch_in_hand_has_landed(postgres: str, name: str, landing: Landing) -> None:
    async def look() -> str:
        async with paused(postgres, [name]):
            return "looked"

    async with landing.batch():
        looking = asyncio.ensure_future(look())
        await waiting(postgres, pauses._number(name))
        assert not looking.done()
    assert await looking == "looked"


async def test_workers_do_not_wait_for_each_other_nor_for_pauses_of_other_groups(
    postgres: str, name: str, landing: Landing
) -> None:
    other = Landing(postgres, name)
    done: list[int] = []
    async with paused(postgres, [f"{name}-other"]), landing.batch():
        await land(other, done)
    assert done
    await other.close()


async def test_a_batch_that_takes_too_long_is_not_waited_for(
    postgres: str, name: str, landing: Landing, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(pauses, "LONGEST_LANDING_S", 0.05)
    async with landing.batch():
        with pytest.raises(StillLanding):
            async with paused(postgres, [name]):
                pytest.fail("the batch is still landing")


async def test_a_pause_that_takes_too_long_is_said_and_can_be_waited_for_again(
    postgres: str, name: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(pauses, "LONGEST_PAUSE_S", 0.05)
    landing = Landing(postgres, name)
    done: list[int] = []
    async with paused(postgres, [name]):
        with pytest.raises(StoreUnavailable):
            await land(landing, done)
    await land(landing, done)
    assert done == [1]
    await landing.close()


async def test_whoever_compares_and_hangs_holds_up_nobody_for_longer_than_the_lease(
    postgres: str, name: str, landing: Landing, monkeypatch: pytest.MonkeyPatch
) -> None:
    async def hangs(connection: psycopg.AsyncConnection, every_s: float) -> None:
        await asyncio.Event().wait()

    monkeypatch.setattr(pauses, "_renew", hangs)
    done: list[int] = []
    with pytest.raises(PauseLost):
        async with paused(postgres, [name], lease_s=0.1):
            await land(landing, done)
    assert done


async def test_a_pause_lasts_as_long_as_it_is_used(postgres: str, name: str, landing: Landing) -> None:
    done: list[int] = []
    async with paused(postgres, [name], lease_s=0.2):
        batch = asyncio.ensure_future(land(landing, done))
        await waiting(postgres, pauses._number(name))
        await asyncio.wait([batch], timeout=0.6)
        assert not done
    await batch


async def test_where_postgres_is_unavailable_batches_land_without(name: str) -> None:
    landing = Landing("postgresql://nobody@127.0.0.1:9/nothing", name)
    done: list[int] = []
    await land(landing, done)
    assert done


async def test_batches_that_follow_each_other_say_nothing_to_postgres(
    landing: Landing, sent: list[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(pauses, "HOLD_S", 60.0)
    done: list[int] = []
    for _ in range(100):
        await land(landing, done)
    assert len(done) == 100
    assert sent == [pauses._TAKE]


async def test_a_batch_that_begins_late_gives_the_lock_back_and_takes_it_again_at_once(
    landing: Landing, sent: list[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(pauses, "HOLD_S", 0.05)
    async with landing.batch():
        await asyncio.sleep(0.1)
    async with landing.batch():
        pass
    assert sent == [pauses._TAKE, pauses._TAKE_AGAIN]


async def test_where_nothing_lands_the_lock_is_free_soon(postgres: str, name: str, landing: Landing) -> None:
    number = pauses._number(name)
    await land(landing, [])
    await until(postgres, number, lambda found: found == [True])
    began = time.monotonic()
    await until(postgres, number, lambda found: found == [])
    assert time.monotonic() - began < pauses.HOLD_S + 1.0


@pytest.mark.parametrize("workers", [1, 3])
async def test_workers_that_never_rest_do_not_keep_a_pause_waiting(postgres: str, name: str, workers: int) -> None:
    landings, landed = [Landing(postgres, name) for _ in range(workers)], asyncio.Semaphore(0)
    working = [asyncio.create_task(land_without_a_rest(landing, landed)) for landing in landings]
    try:
        async with asyncio.timeout(20):
            for _ in range(10):
                await landed.acquire()
            began = time.monotonic()
            async with paused(postgres, [name]):
                waited = time.monotonic() - began
                while not landed.locked():
                    await landed.acquire()
                await asyncio.sleep(0.2)
                assert landed.locked(), "a batch landed within the pause"
            await landed.acquire()
        assert waited < pauses.HOLD_S + 0.02 + 1.0
    finally:
        for task in working:
            task.cancel()
        await asyncio.wait(working)
        for landing in landings:
            await landing.close()


async def test_batches_at_the_same_time_land_one_after_the_other(landing: Landing) -> None:
    inside, most = 0, 0

    async def batch() -> None:
        nonlocal inside, most
        async with landing.batch():
            inside += 1
            most = max(most, inside)
            await asyncio.sleep(0.01)
            inside -= 1

    await asyncio.gather(*(batch() for _ in range(5)))
    assert most == 1


async def test_a_batch_whose_lock_was_lost_with_its_connection_waits_like_any_other(
    postgres: str, name: str, landing: Landing, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(pauses, "HOLD_S", 60.0)
    number = pauses._number(name)
    done: list[int] = []
    await land(landing, done)
    assert landing._connection is not None
    async with await psycopg.AsyncConnection.connect(postgres, autocommit=True) as other:
        await other.execute("SELECT pg_terminate_backend(%s, 5000)", (landing._connection.info.backend_pid,))
    async with paused(postgres, [name]):
        batch = asyncio.ensure_future(land(landing, done))
        await waiting(postgres, number)
        assert done == [1]
    await batch
    assert done == [1, 1]


async def test_whoever_is_cancelled_while_it_waits_leaves_no_lock_behind(
    postgres: str, name: str, landing: Landing
) -> None:
    async with paused(postgres, [name]):
        batch = asyncio.ensure_future(land(landing, []))
        await waiting(postgres, pauses._number(name))
        batch.cancel()
        with contextlib.suppress(asyncio.CancelledError):
            await batch
        assert batch.cancelled()
        assert landing._connection is None
    await until(postgres, pauses._number(name), lambda found: found == [])


@pytest.mark.parametrize("rest_s", [0.0, 0.1], ids=["before the lock is given back", "after it"])
async def test_nothing_is_left_running_after_the_end(
    postgres: str, name: str, landing: Landing, monkeypatch: pytest.MonkeyPatch, rest_s: float
) -> None:
    monkeypatch.setattr(pauses, "HOLD_S", 0.05)
    before = asyncio.all_tasks()
    for _ in range(3):
        await land(landing, [])
    await asyncio.sleep(rest_s)
    await landing.close()
    assert asyncio.all_tasks() == before
    await until(postgres, pauses._number(name), lambda found: found == [])
