"""PostgreSQL killed while it commits: nothing acknowledged is lost, and nothing is done twice."""

import asyncio
from collections.abc import AsyncIterator
from functools import partial
from pathlib import Path
from typing import Any

import apsw
import pytest

from command_api.facts import TweetFor
from command_api.sqlite.rebuild import decision_digest, rebuild_decision_state
from events.first_copies import first_copies
from events.ids import AccountId
from events.log import LogUnavailable
from events.tweets import TweetPosted
from infra.local import catalogue
from infra.local.running import Running
from tests.contracts.commands import ALICE, BOB, follow, post, posted, settle
from tests.contracts.embedded import EMAIL_KEY
from tests.on_postgres import PostgresSystem, World, a_database, template, until
from tests.records import event_of

pytestmark = [pytest.mark.engines, pytest.mark.slow]

WRITERS = 12


def grown(refused: list[Any], told: int) -> bool:
    """Return whether more was refused than `told`."""
    return len(refused) > told


@pytest.fixture
async def world(running: Running, tmp_path: Path) -> AsyncIterator[World]:
    """A world on a server of this test alone."""
    url = running.up(catalogue.engine("postgres")).url
    with a_database(url, template(url)) as database:
        made = World(database, tmp_path)
        yield made
        await made.close()


async def test_a_server_killed_under_load_loses_nothing_that_was_acknowledged(running: Running, world: World) -> None:
    system, other = world.process(), world.process()
    await settle(system)
    acknowledged, refused, stop = [], [], asyncio.Event()

    async def writing(process: PostgresSystem, author: AccountId, number: int) -> None:
        n = 0
        while not stop.is_set():
            n += 1
            tweet, posting = post(process, author, key=f"{number} {n}")
            try:
                await posting
                acknowledged.append(tweet)
            except LogUnavailable:
                refused.append((process, author, f"{number} {n}"))
                await asyncio.sleep(0.01)

    async def more(number: int) -> None:
        wanted = len(acknowledged) + number
        await until(lambda: len(acknowledged) >= wanted)

    async with world.relay():
        writers = [
            asyncio.ensure_future(writing((system, other)[n % 2], (ALICE, BOB)[n // 2 % 2], n)) for n in range(WRITERS)
        ]
        for _ in range(2):
            await more(50)
            told = len(refused)
            await asyncio.to_thread(running.kill, "postgres")
            await until(partial(grown, refused, told))  # one that is back at once would only make them wait
            await asyncio.to_thread(running.up, catalogue.engine("postgres"))
        await more(50)
        stop.set()
        await asyncio.gather(*writers)
        await world.drained()
    records = [record for record in first_copies(await world.records(), {}) if record.topic == "tweets"]
    written = [event_of(record, TweetPosted).tweet for record in records]
    assert set(acknowledged) <= set(written)
    assert len(written) == len(set(written))
    folded = apsw.Connection(":memory:")
    await rebuild_decision_state(world.log.log, folded, EMAIL_KEY, await world.log.log.ends())
    assert decision_digest(folded) == system.snapshot().digest
    async with world.relay():  # what one process has just published, another leaves to it
        for process, author, key in refused:  # whoever was refused, or not told, asks again with his key
            await post(process, author, key=key)[1]
        await world.drained()
    assert len(system.select("SELECT 1 FROM idempotency")) == len(acknowledged) + len(refused)
    tweets = system.select("SELECT count(*) FROM decision_tweets")
    assert tweets == [(len(acknowledged) + len(refused),)]


async def test_while_the_server_is_unavailable_commands_are_refused_and_later_they_go_on(
    running: Running, world: World
) -> None:
    system = world.process()
    await settle(system)
    tweet = await posted(system)
    await world.drained()
    await asyncio.to_thread(running.kill, "postgres")
    question = TweetFor(tweet, BOB)
    for asking in (follow(system), system.store.ask(question), post(system, key="one")[1]):
        with pytest.raises(LogUnavailable):
            await asking
    await asyncio.to_thread(running.up, catalogue.engine("postgres"))
    async with asyncio.timeout(30):
        while True:
            try:
                outcome = await follow(system)
                break
            except LogUnavailable:
                continue
    assert outcome.answer.body == b"AccountFollowed"
    assert (await system.store.ask(question))[question] is not None
    assert not (await post(system, key="one")[1]).replayed
