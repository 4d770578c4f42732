"""The keys that sign access tokens, shared by processes through PostgreSQL."""

import asyncio
import uuid
from collections.abc import AsyncIterator, Callable

import psycopg
import pytest
from psycopg_pool import AsyncConnectionPool

from command_api.postgres.migrating import migrate
from command_api.postgres.signing_keys import PostgresSigningKeys
from events.ids import HybridClock, Millis
from events.postgres.connections import open_pool
from events.sealing import MasterKeys, SealBroken, Sealer

pytestmark = pytest.mark.engines

OVERLAP_MS = 60_000
Process = Callable[..., PostgresSigningKeys]


class Clock:
    def __init__(self) -> None:
        self.now = Millis(1_790_000_000_000)

    def __call__(self) -> Millis:
        return self.now


@pytest.fixture
async def pool(postgres: str) -> AsyncIterator[AsyncConnectionPool]:
    name = f"keys_{uuid.uuid4().hex[:12]}"
    async with await psycopg.AsyncConnection.connect(postgres, autocommit=True) as connection:
        await connection.execute(f"CREATE DATABASE {name}")
    url = psycopg.conninfo.make_conninfo(postgres, dbname=name)
    await migrate(url)
    pool = open_pool(url)
    await pool.open()
    yield pool
    await pool.close()
    async with await psycopg.AsyncConnection.connect(postgres, autocommit=True) as connection:
        await connection.execute(f"DROP DATABASE {name} WITH (FORCE)")


@pytest.fixture
def clock() -> Clock:
    return Clock()


@pytest.fixture
def process(pool: AsyncConnectionPool, clock: Clock) -> Process:
    """Make the key ring of a process. All processes share the master key."""
    masters = MasterKeys.generate()

    def made(masters: MasterKeys = masters) -> PostgresSigningKeys:
        return PostgresSigningKeys(pool, Sealer(masters), HybridClock(clock), OVERLAP_MS)

    return made


def kids(keys: PostgresSigningKeys) -> list[str]:
    return [key["kid"] for key in keys.jwks()["keys"]]


async def test_processes_that_start_together_make_one_key_between_them(process: Process) -> None:
    processes = [process() for _ in range(4)]
    await asyncio.gather(*(one.refresh() for one in processes))
    assert len({one.current.kid for one in processes}) == 1
    assert len({one.current.public.public_numbers() for one in processes}) == 1


async def test_a_rotated_key_signs_everywhere_after_the_next_look_and_the_old_one_still_verifies(
    process: Process,
) -> None:
    one, other = process(), process()
    await one.refresh()
    await other.refresh()
    old = one.current.kid
    made = await one.rotate()
    assert one.current.kid == made.kid != old
    assert other.current.kid == old
    await other.refresh()
    assert other.current.kid == made.kid
    assert other.public_key(old) is not None
    assert kids(one) == kids(other) == [old, made.kid]


async def test_a_key_goes_when_the_last_token_it_can_have_signed_has_expired(
    process: Process, clock: Clock, pool: AsyncConnectionPool
) -> None:
    one = process()
    await one.refresh()
    old = one.current.kid
    made = await one.rotate()
    clock.now = Millis(clock.now + OVERLAP_MS + 1)
    assert one.public_key(old) is None
    await one.refresh()
    again = process()
    await again.refresh()
    assert kids(one) == kids(again) == [made.kid]
    async with pool.connection() as connection:
        [(stored,)] = await (await connection.execute("SELECT count(*) FROM subject_keys")).fetchall()
    assert stored == 1


async def test_a_key_does_not_open_with_another_master_key_of_the_same_name(process: Process) -> None:
    masters = MasterKeys({"one": bytes(32)})
    await process(masters).refresh()
    with pytest.raises(SealBroken):
        await process(MasterKeys({"one": b"\1" * 32})).refresh()
