"""Pauses: batches wait for whoever compares, never the other way round for long, and nobody who died is waited for."""

import asyncio
import uuid

import psycopg
import pytest

from stores.postgres import pauses
from stores.postgres.pauses import Landing, PauseLost, StillLanding, paused
from stores.sink import StoreUnavailable

pytestmark = pytest.mark.engines


@pytest.fixture
def name():
    return f"pause-{uuid.uuid4().hex}"


@pytest.fixture
async def landing(postgres, name):
    made = Landing(postgres, name)
    yield made
    await made.close()


async def waiting(postgres, number):
    """Wait until somebody waits for an advisory lock."""
    sql = "SELECT count(*) FROM pg_locks WHERE locktype='advisory' AND NOT granted AND objid=%s::bigint"
    async with await psycopg.AsyncConnection.connect(postgres, autocommit=True) as connection, asyncio.timeout(20):
        while True:
            cursor = await connection.execute(sql, (number & 0xFFFFFFFF,))
            if (await cursor.fetchone())[0]:
                return
            await asyncio.sleep(0.01)


async def land(landing, done):
    async with landing.batch():
        done.append(1)


async def test_a_batch_waits_until_the_pause_is_over(postgres, name, landing):
    done = []
    async with paused(postgres, [name]):
        batch = asyncio.ensure_future(land(landing, done))
        await waiting(postgres, pauses._number(name))
        assert not done
    await batch
    assert done


async def test_a_pause_begins_when_the_batch_in_hand_has_landed(postgres, name, landing):
    async def look():
        async with paused(postgres, [name]):
            return "looked"

    async with landing.batch():
        looking = asyncio.ensure_future(look())
        await waiting(postgres, pauses._number(name))
        assert not looking.done()
    assert await looking == "looked"


async def test_workers_do_not_wait_for_each_other_nor_for_pauses_of_other_groups(postgres, name, landing):
    other = Landing(postgres, name)
    done = []
    async with paused(postgres, [f"{name}-other"]), landing.batch():
        await land(other, done)
    assert done
    await other.close()


async def test_a_batch_that_takes_too_long_is_not_waited_for(postgres, name, landing, monkeypatch):
    monkeypatch.setattr(pauses, "LONGEST_LANDING_S", 0.05)
    async with landing.batch():
        with pytest.raises(StillLanding):
            async with paused(postgres, [name]):
                pytest.fail("the batch is still landing")


async def test_a_pause_that_takes_too_long_is_said_and_can_be_waited_for_again(postgres, name, monkeypatch):
    monkeypatch.setattr(pauses, "LONGEST_PAUSE_S", 0.05)
    landing, done = Landing(postgres, name), []
    async with paused(postgres, [name]):
        with pytest.raises(StoreUnavailable):
            await land(landing, done)
    await land(landing, done)
    assert done == [1]
    await landing.close()


async def test_whoever_compares_and_hangs_holds_up_nobody_for_longer_than_the_lease(
    postgres, name, landing, monkeypatch
):
    async def hangs(connection, every_s):
        await asyncio.Event().wait()

    monkeypatch.setattr(pauses, "_renew", hangs)
    done = []
    with pytest.raises(PauseLost):
        async with paused(postgres, [name], lease_s=0.1):
            await land(landing, done)
    assert done


async def test_a_pause_lasts_as_long_as_it_is_used(postgres, name, landing):
    done = []
    async with paused(postgres, [name], lease_s=0.2):
        batch = asyncio.ensure_future(land(landing, done))
        await waiting(postgres, pauses._number(name))
        await asyncio.wait([batch], timeout=0.6)
        assert not done
    await batch


async def test_where_postgres_is_away_batches_land_without(name):
    landing, done = Landing("postgresql://nobody@127.0.0.1:9/nothing", name), []
    await land(landing, done)
    assert done
