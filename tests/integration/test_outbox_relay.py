"""The relay publishes the rows that other processes left, in order and with one effect, also after crashes."""

import asyncio
import random
import subprocess
import sys
from collections.abc import AsyncIterator, Iterator
from contextlib import AsyncExitStack
from pathlib import Path

import psycopg
import pytest

from command_api.postgres.outbox import WaitingRow
from command_api.postgres.rebuild import noted_positions
from command_api.postgres.relay import ready
from events.event import Envelope
from events.first_copies import Entity, first_copies
from events.ids import AccountId, EventId, Millis, id_at
from events.log import LogUnavailable, Positions, Record
from events.publishing import Outgoing
from events.sealing import MasterKeys
from tests.contracts.commands import ALICE, BOB, CAROL, follow, like, post, posted, settle
from tests.on_postgres import PostgresSystem, World, a_database, template, until

pytestmark = pytest.mark.engines

ROOT = Path(__file__).resolve().parents[2]


@pytest.fixture
def database(postgres: str) -> Iterator[str]:
    with a_database(postgres, template(postgres)) as url:
        yield url


@pytest.fixture
async def world(database: str, tmp_path: Path) -> AsyncIterator[World]:
    made = World(database, tmp_path)
    yield made
    await made.close()


@pytest.fixture
async def system(world: World) -> PostgresSystem:
    made = world.process()
    await settle(made)
    return made


def of(records: list[Record], topic: str, key: str | None = None) -> list[Record]:
    return [record for record in records if record.topic == topic and key in (None, record.key)]


@pytest.mark.parametrize(("when", "copies"), [("before", 1), ("after", 2)])
async def test_the_writes_of_a_killed_process_are_published(
    database: str, tmp_path: Path, when: str, copies: int
) -> None:
    """Killed between commit and publishing, or between publishing and noting: then there is a copy, and law 4."""
    program = [sys.executable, "-m", "tests.integration.dying", database, str(tmp_path), when]
    killed = await asyncio.to_thread(
        subprocess.run, program, cwd=ROOT, env={"PYTHONPATH": str(ROOT)}, capture_output=True
    )
    assert killed.returncode == -9, killed.stderr.decode()
    world = World(database, tmp_path, masters=MasterKeys.load(tmp_path / "masters"))
    process = world.process()
    await process.opened()
    await process.keys.fetch([ALICE])  # the log of this test has seals of its own
    assert [owner for _, _, owner in world.waiting()] == ["dying"]
    async with world.relay():
        await world.drained()
    records = of(await world.records(), "tweets")
    assert len(records) == copies
    assert len({record.about.id for record in records}) == 1
    assert len(first_copies(records, {})) == 1
    assert not (await post(process)[1]).token.rows, "the way is free again"
    await world.close()


async def left(world: World, system: PostgresSystem, number: int) -> None:
    """Leave tweets to the relay."""
    world.log.unavailable = True
    for n in range(number):
        await post(system, (ALICE, BOB)[n % 2])[1]
    world.log.unavailable = False


def in_order(records: list[Record]) -> bool:
    """Whether each author's tweets are in the log once, in the order of their ids."""
    ids = {author: [record.about.id for record in of(records, "tweets", author)] for author in (ALICE, BOB)}
    return all(own == sorted(set(own)) for own in ids.values())


async def test_of_two_relays_one_leads_and_the_other_takes_over_when_it_ends(
    world: World, system: PostgresSystem
) -> None:
    await left(world, system, 20)
    async with AsyncExitStack() as first, AsyncExitStack() as second:
        relays = {await stack.enter_async_context(world.relay()): stack for stack in (first, second)}
        await world.drained()
        [leader] = [relay for relay in relays if relay.leads]
        [other] = [relay for relay in relays if relay is not leader]
        assert (leader.published, other.published) == (20, 0)
        await relays[leader].aclose()
        await until(lambda: other.leads)
        await left(world, system, 5)
        await world.drained()
        assert (leader.published, other.published) == (20, 5)
    assert len(of(await world.records(), "tweets")) == 25
    assert in_order(await world.records())


async def test_a_relay_that_loses_its_connection_leads_no_longer_and_comes_back(
    world: World, system: PostgresSystem
) -> None:
    async with world.relay() as relay:
        await until(lambda: relay.leads)
        _end_backend_of_the_leader(system)
        await until(lambda: not relay.leads)
        await left(world, system, 5)
        await world.drained()
        assert relay.leads
    assert in_order(await world.records())


def _end_backend_of_the_leader(system: PostgresSystem) -> None:
    with psycopg.connect(system.url) as connection:
        ended = connection.execute(
            "SELECT pg_terminate_backend(pid) FROM pg_locks WHERE locktype='advisory' AND objid=%s"
            " AND database=(SELECT oid FROM pg_database WHERE datname=current_database())",
            (0x72656C6179 & 0xFFFFFFFF,),
        ).fetchall()
    assert ended == [(True,)]


async def test_while_the_log_is_unavailable_writes_go_on_and_all_arrive_in_order(
    world: World, system: PostgresSystem
) -> None:
    chance = random.Random(3)
    accounts = [AccountId(id_at(Millis(1), f"account {n}")) for n in range(6)]
    other = world.process(clock=lambda: world.clock() + 5_000)

    async def writing(account: str) -> None:
        for n in range(15):
            process = chance.choice((system, other))
            try:
                await follow(process, ALICE if n % 3 else BOB, chance.choice((BOB, CAROL)))
            except LogUnavailable:
                raise AssertionError("a write was refused") from None
            except Exception:  # following oneself
                await post(process, chance.choice((ALICE, BOB, CAROL)))[1]
            world.log.unavailable = chance.random() < 0.5

    async with world.relay():
        await asyncio.gather(*map(writing, accounts))
        world.log.unavailable = False
        await world.drained()
    numbered = system.select("SELECT id FROM outbox ORDER BY number")
    assert {id_ for (id_,) in numbered} == {record.about.id for record in await world.records()}
    newest: dict[Entity, str] = {}
    records = await world.records()
    assert len(first_copies(records, newest)) == len({record.about.id for record in records})


async def test_an_outage_of_the_log_is_told_of_twice_however_often_it_was_tried(
    world: World, system: PostgresSystem, caplog: pytest.LogCaptureFixture
) -> None:
    await left(world, system, 4)
    world.log.unavailable = True
    async with world.relay() as relay:
        await until(lambda: relay._log.failures >= 3)
        world.log.unavailable = False
        await world.drained()
        await until(lambda: not relay._log.failures)
    told = [record.getMessage() for record in caplog.records if "the relay and the log" in record.getMessage()]
    assert len(told) == 2


async def test_without_trouble_there_are_no_copies(world: World, system: PostgresSystem) -> None:
    async with world.relay() as relay:
        await asyncio.gather(*(post(system, author)[1] for author in (ALICE, BOB, CAROL) for _ in range(30)))
        await world.drained()
        assert relay.published == 0
    assert len(world.log.published) == len(set(world.log.published)) == 93


async def test_a_row_that_another_process_publishes_is_left_to_it_and_later_rows_of_its_entity_wait() -> None:
    def row(number: int, key: str, free: bool) -> WaitingRow:
        record = Outgoing("tweets", key, "TweetPosted", 1, b"", Envelope(EventId(str(number)), Millis(0)))
        return WaitingRow(number, record, free)

    rows = [
        row(1, "a", True),
        row(2, "b", False),
        row(3, "a", False),
        row(4, "b", True),
        row(5, "c", True),
        row(6, "a", True),
    ]
    assert [[one.number for one in queue] for queue in ready(rows)] == [[1], [5]]


async def test_an_hour_later_rows_are_gone_and_their_positions_are_not(world: World, system: PostgresSystem) -> None:
    tweet = await posted(system)
    first = await like(system, tweet)
    await world.drained()
    world.log.unavailable = True
    await follow(system)
    async with world.relay(kept_s=0.0):
        await until(lambda: len(system.select("SELECT 1 FROM outbox")) == 1)
    assert len(world.waiting()) == 1, "what waits stays"
    assert await noted_positions(system.pool) == (await world.log.log.ends())
    again = await like(system, tweet)
    assert again.token == first.token
    assert again.answer.body == b""


async def test_a_relay_starts_before_its_engines(world: World, system: PostgresSystem, database: str) -> None:
    world.log.unavailable = True
    await post(system)[1]
    async with world.relay() as relay:
        await until(lambda: relay.leads)
        assert relay.published == 0
        world.log.unavailable = False
        await world.drained()
        assert relay.published == 1
    assert Positions(await world.log.log.ends())
