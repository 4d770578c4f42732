"""A connection that is lost during a commit: the outcome is looked up, and no command has two effects."""

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager, suppress
from pathlib import Path

import pytest
from psycopg.conninfo import conninfo_to_dict, make_conninfo

from events.tweets import TweetPosted
from tests.contracts.commands import ALICE, BOB, CAROL, post, settle
from tests.on_postgres import PostgresSystem, World, a_database, template, until
from tests.records import event_of

pytestmark = pytest.mark.engines

SLOW_COMMIT = """
CREATE FUNCTION slow() RETURNS trigger LANGUAGE plpgsql AS $$ BEGIN PERFORM pg_sleep(0.5); RETURN NULL; END $$;
CREATE CONSTRAINT TRIGGER slow AFTER INSERT ON outbox DEFERRABLE INITIALLY DEFERRED FOR EACH ROW
    WHEN (NEW.topic = 'tweets') EXECUTE FUNCTION slow();
"""
"""Makes a commit of tweets take half a second."""


class Way:
    """A link to the server that can be cut. Clients notice at once, the server at its next answer."""

    def __init__(self, host: str, port: int) -> None:
        self._target = host, port
        self._clients: set[asyncio.StreamWriter] = set()
        self._tasks: set[asyncio.Task[None]] = set()

    async def __call__(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        there_reader, there_writer = await asyncio.open_connection(*self._target)
        self._clients.add(writer)
        for source, sink in ((reader, there_writer), (there_reader, writer)):
            task = asyncio.ensure_future(self._forward(source, sink))
            self._tasks.add(task)

    async def _forward(self, source: asyncio.StreamReader, sink: asyncio.StreamWriter) -> None:
        try:
            with suppress(OSError):
                while data := await source.read(65_536):
                    sink.write(data)
                    await sink.drain()
        finally:
            sink.close()  # a server that commits looks at it when it is done

    def cut(self) -> None:
        """Cut every open connection."""
        for client in self._clients:
            client.transport.abort()
        self._clients.clear()

    async def close(self) -> None:
        self.cut()
        for task in self._tasks:
            task.cancel()
        await asyncio.wait(self._tasks)


@asynccontextmanager
async def a_way_to(url: str) -> AsyncIterator[tuple[Way, str]]:
    """Return the URL of the same database through the link."""
    target = conninfo_to_dict(url)
    way = Way(str(target["host"]), int(str(target["port"])))
    server = await asyncio.start_server(way, "127.0.0.1", 0)
    async with server:
        yield way, make_conninfo(url, port=server.sockets[0].getsockname()[1])
        await way.close()


@pytest.fixture
async def world(postgres: str, tmp_path: Path) -> AsyncIterator[World]:
    with a_database(postgres, template(postgres)) as url:
        made = World(url, tmp_path)
        await settle(made.process())
        await made.processes[0].tamper(SLOW_COMMIT)
        yield made
        await made.close()


def committing(system: PostgresSystem) -> list[tuple[int]]:
    return system.select("SELECT pid FROM pg_stat_activity WHERE wait_event='PgSleep' AND datname=current_database()")


async def test_a_commit_that_was_made_and_not_answered_counts(world: World) -> None:
    async with a_way_to(world.url) as (way, url):
        system = world.process()
        system.url = url
        tweet, posting = post(system)
        running = asyncio.ensure_future(posting)
        await until(lambda: committing(world.processes[0]))
        way.cut()
        outcome = await running
        await system.stop()
    assert outcome.answer.body == b"TweetPosted"
    assert len(outcome.token.rows) == 1
    async with world.relay():
        await world.drained()
    assert [event_of(r, TweetPosted).tweet for r in await world.records() if r.topic == "tweets"] == [tweet]


async def test_a_commit_that_was_not_made_is_made_once(world: World) -> None:
    system = world.process()
    tweet, posting = post(system)
    running = asyncio.ensure_future(posting)
    await until(lambda: committing(system))
    [(pid,)] = committing(system)
    assert system.select(f"SELECT pg_terminate_backend({pid})") == [(True,)]
    outcome = await running
    assert (outcome.answer.body, outcome.replayed) == (b"TweetPosted", False)
    await world.drained()
    assert [event_of(r, TweetPosted).tweet for r in await world.records() if r.topic == "tweets"] == [tweet]


async def test_the_same_key_in_another_process_is_answered_as_what_was_found_out(world: World) -> None:
    async with a_way_to(world.url) as (way, url):
        system = world.process()
        system.url = url
        tweet, posting = post(system, key="one")
        running = asyncio.ensure_future(posting)
        await until(lambda: committing(world.processes[0]))
        way.cut()
        first = await running
        again = await post(world.processes[0], key="one")[1]
        await system.stop()
    assert (again.answer, again.replayed) == (first.answer, True)
    async with world.relay():
        await world.drained()
    assert [event_of(r, TweetPosted).tweet for r in await world.records() if r.topic == "tweets"] == [tweet]


async def test_a_group_whose_commit_was_not_answered_counts_as_a_whole(world: World) -> None:
    async with a_way_to(world.url) as (way, url):
        system = world.process()
        system.url = url
        posting = [post(system, author) for author in (ALICE, BOB, CAROL)]
        running = asyncio.gather(*(call for _, call in posting))
        await until(lambda: committing(world.processes[0]))
        way.cut()
        outcomes = await running
        await system.stop()
    assert [outcome.answer.body for outcome in outcomes] == [b"TweetPosted"] * 3
    rows = [outcome.token.rows for outcome in outcomes]
    assert len({row for [row] in rows}) == 3
    async with world.relay():
        await world.drained()
    assert sorted(event_of(r, TweetPosted).tweet for r in await world.records() if r.topic == "tweets") == [
        t for t, _ in posting
    ]


async def test_a_group_whose_commit_was_not_made_is_made_once_command_by_command(world: World) -> None:
    system = world.process()
    posting = [post(system, author) for author in (ALICE, BOB, CAROL)]
    running = asyncio.gather(*(call for _, call in posting))
    await until(lambda: committing(system))
    [(pid,)] = committing(system)
    assert system.select(f"SELECT pg_terminate_backend({pid})") == [(True,)]
    outcomes = await running
    assert [(outcome.answer.body, outcome.replayed) for outcome in outcomes] == [(b"TweetPosted", False)] * 3
    await world.drained()
    assert sorted(event_of(r, TweetPosted).tweet for r in await world.records() if r.topic == "tweets") == [
        t for t, _ in posting
    ]
