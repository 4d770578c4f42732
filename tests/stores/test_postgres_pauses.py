"""Pauses: batches wait for a comparison, a comparison waits only briefly, and dead processes hold no lock."""

import asyncio
import contextlib
import time
import uuid
from collections.abc import AsyncIterator, Callable

import psycopg
import pytest

from stores.postgres import pauses
from stores.postgres.pauses import BatchLock, BatchStillRunning, PauseLost, paused
from stores.sink import StoreUnavailable

pytestmark = pytest.mark.engines


@pytest.fixture
def name() -> str:
    return f"pause-{uuid.uuid4().hex}"


@pytest.fixture
async def lock(postgres: str, name: str) -> AsyncIterator[BatchLock]:
    made = BatchLock(postgres, name)
    yield made
    await made.close()


async def locks(connection: psycopg.AsyncConnection, number: int) -> list[bool]:
    """Return True for each holder of an advisory lock, and False for each waiter."""
    sql = "SELECT granted FROM pg_locks WHERE locktype='advisory' AND objid=%s::bigint"
    cursor = await connection.execute(sql, (number & 0xFFFFFFFF,))
    return [granted for (granted,) in await cursor.fetchall()]


async def until(postgres: str, number: int, enough: Callable[[list[bool]], bool]) -> None:
    """Wait until the holders and waiters of an advisory lock satisfy `enough`."""
    async with await psycopg.AsyncConnection.connect(postgres, autocommit=True) as connection, asyncio.timeout(20):
        while True:
            if enough(await locks(connection, number)):
                return
            await asyncio.sleep(0.01)


async def waiting(postgres: str, number: int) -> None:
    """Wait until a session waits for an advisory lock."""
    await until(postgres, number, lambda found: False in found)


async def run_batch(lock: BatchLock, done: list[int]) -> None:
    async with lock.batch():
        done.append(1)


async def run_batches_without_a_rest(lock: BatchLock, done_batches: asyncio.Semaphore) -> None:
    while True:
        async with lock.batch():
            await asyncio.sleep(0.02)
            done_batches.release()


@pytest.fixture
def sent(monkeypatch: pytest.MonkeyPatch) -> list[str]:
    """Record all statements of all connections that are sent from now on."""
    found: list[str] = []
    execute = psycopg.AsyncConnection.execute

    async def noting(
        connection: psycopg.AsyncConnection, statement: str, *values: dict[str, int]
    ) -> psycopg.AsyncCursor:
        found.append(statement)
        return await execute(connection, statement, *values)

    monkeypatch.setattr(psycopg.AsyncConnection, "execute", noting)
    return found


async def test_a_batch_waits_until_the_pause_is_over(postgres: str, name: str, lock: BatchLock) -> None:
    done: list[int] = []
    async with paused(postgres, [name]):
        batch = asyncio.ensure_future(run_batch(lock, done))
        await waiting(postgres, pauses._number(name))
        assert not done
    await batch
    assert done


async def test_a_pause_begins_after_the_batch_in_progress(postgres: str, name: str, lock: BatchLock) -> None:
    async def look() -> str:
        async with paused(postgres, [name]):
            return "looked"

    async with lock.batch():
        looking = asyncio.ensure_future(look())
        await waiting(postgres, pauses._number(name))
        assert not looking.done()
    assert await looking == "looked"


async def test_workers_do_not_wait_for_each_other_nor_for_pauses_of_other_groups(
    postgres: str, name: str, lock: BatchLock
) -> None:
    other = BatchLock(postgres, name)
    done: list[int] = []
    async with paused(postgres, [f"{name}-other"]), lock.batch():
        await run_batch(other, done)
    assert done
    await other.close()


async def test_a_pause_gives_up_on_a_batch_that_takes_too_long(
    postgres: str, name: str, lock: BatchLock, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(pauses, "LONGEST_BATCH_S", 0.05)
    async with lock.batch():
        with pytest.raises(BatchStillRunning):
            async with paused(postgres, [name]):
                pytest.fail("the batch is still in progress")


async def test_a_batch_that_waits_too_long_for_a_pause_fails_and_can_be_retried(
    postgres: str, name: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(pauses, "LONGEST_PAUSE_S", 0.05)
    lock = BatchLock(postgres, name)
    done: list[int] = []
    async with paused(postgres, [name]):
        with pytest.raises(StoreUnavailable):
            await run_batch(lock, done)
    await run_batch(lock, done)
    assert done == [1]
    await lock.close()


async def test_a_comparison_that_hangs_delays_batches_no_longer_than_its_lease(
    postgres: str, name: str, lock: BatchLock, monkeypatch: pytest.MonkeyPatch
) -> None:
    async def hangs(connection: psycopg.AsyncConnection, every_s: float) -> None:
        await asyncio.Event().wait()

    monkeypatch.setattr(pauses, "_renew", hangs)
    done: list[int] = []
    with pytest.raises(PauseLost):
        async with paused(postgres, [name], lease_s=0.1):
            await run_batch(lock, done)
    assert done


async def test_a_pause_lasts_as_long_as_it_is_used(postgres: str, name: str, lock: BatchLock) -> None:
    done: list[int] = []
    async with paused(postgres, [name], lease_s=0.2):
        batch = asyncio.ensure_future(run_batch(lock, done))
        await waiting(postgres, pauses._number(name))
        await asyncio.wait([batch], timeout=0.6)
        assert not done
    await batch


async def test_where_postgres_is_unavailable_batches_run_without_the_lock(name: str) -> None:
    lock = BatchLock("postgresql://nobody@127.0.0.1:9/nothing", name)
    done: list[int] = []
    await run_batch(lock, done)
    assert done


async def test_batches_in_quick_succession_send_nothing_to_postgres(
    lock: BatchLock, sent: list[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(pauses, "HOLD_S", 60.0)
    done: list[int] = []
    for _ in range(100):
        await run_batch(lock, done)
    assert len(done) == 100
    assert sent == [pauses._TAKE]


async def test_a_batch_that_begins_late_releases_the_lock_and_takes_it_again(
    lock: BatchLock, sent: list[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(pauses, "HOLD_S", 0.05)
    async with lock.batch():
        await asyncio.sleep(0.1)
    async with lock.batch():
        pass
    assert sent == [pauses._TAKE, pauses._TAKE_AGAIN]


async def test_without_batches_the_lock_is_released_soon(postgres: str, name: str, lock: BatchLock) -> None:
    number = pauses._number(name)
    await run_batch(lock, [])
    await until(postgres, number, lambda found: found == [True])
    began = time.monotonic()
    await until(postgres, number, lambda found: found == [])
    assert time.monotonic() - began < pauses.HOLD_S + 1.0


@pytest.mark.parametrize("workers", [1, 3])
async def test_workers_under_full_load_do_not_delay_a_pause(postgres: str, name: str, workers: int) -> None:
    batch_locks, done_batches = [BatchLock(postgres, name) for _ in range(workers)], asyncio.Semaphore(0)
    working = [asyncio.create_task(run_batches_without_a_rest(lock, done_batches)) for lock in batch_locks]
    try:
        async with asyncio.timeout(20):
            for _ in range(10):
                await done_batches.acquire()
            began = time.monotonic()
            async with paused(postgres, [name]):
                waited = time.monotonic() - began
                while not done_batches.locked():
                    await done_batches.acquire()
                await asyncio.sleep(0.2)
                assert done_batches.locked(), "a batch ran during the pause"
            await done_batches.acquire()
        assert waited < pauses.HOLD_S + 0.02 + 1.0
    finally:
        for task in working:
            task.cancel()
        await asyncio.wait(working)
        for lock in batch_locks:
            await lock.close()


async def test_concurrent_batches_run_one_after_the_other(lock: BatchLock) -> None:
    inside, most = 0, 0

    async def batch() -> None:
        nonlocal inside, most
        async with lock.batch():
            inside += 1
            most = max(most, inside)
            await asyncio.sleep(0.01)
            inside -= 1

    await asyncio.gather(*(batch() for _ in range(5)))
    assert most == 1


async def test_a_batch_whose_lock_was_lost_with_its_connection_waits_like_any_other(
    postgres: str, name: str, lock: BatchLock, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(pauses, "HOLD_S", 60.0)
    number = pauses._number(name)
    done: list[int] = []
    await run_batch(lock, done)
    assert lock._connection is not None
    async with await psycopg.AsyncConnection.connect(postgres, autocommit=True) as other:
        await other.execute("SELECT pg_terminate_backend(%s, 5000)", (lock._connection.info.backend_pid,))
    async with paused(postgres, [name]):
        batch = asyncio.ensure_future(run_batch(lock, done))
        await waiting(postgres, number)
        assert done == [1]
    await batch
    assert done == [1, 1]


async def test_a_batch_that_is_cancelled_while_it_waits_leaves_no_lock(
    postgres: str, name: str, lock: BatchLock
) -> None:
    async with paused(postgres, [name]):
        batch = asyncio.ensure_future(run_batch(lock, []))
        await waiting(postgres, pauses._number(name))
        batch.cancel()
        with contextlib.suppress(asyncio.CancelledError):
            await batch
        assert batch.cancelled()
        assert lock._connection is None
    await until(postgres, pauses._number(name), lambda found: found == [])


@pytest.mark.parametrize("rest_s", [0.0, 0.1], ids=["before the lock is given back", "after it"])
async def test_closing_leaves_no_task_running(
    postgres: str, name: str, lock: BatchLock, monkeypatch: pytest.MonkeyPatch, rest_s: float
) -> None:
    monkeypatch.setattr(pauses, "HOLD_S", 0.05)
    before = asyncio.all_tasks()
    for _ in range(3):
        await run_batch(lock, [])
    await asyncio.sleep(rest_s)
    await lock.close()
    assert asyncio.all_tasks() == before
    await until(postgres, pauses._number(name), lambda found: found == [])
