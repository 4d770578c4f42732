"""`minitwitter verify` on the real engines accepts correct stores and names each difference."""

import asyncio
import signal
import sys
import uuid
from collections.abc import AsyncIterator, Awaitable, Callable, Iterator
from typing import Any

import msgspec
import psycopg
import pytest

from command_api.postgres.rebuild import rebuild_decision_state
from events.ids import EventId, HybridClock
from events.log import New
from events.topics import DERIVED
from runtime.distributed.models.catalogue import COUNTERS
from runtime.distributed.rebuild.scratch_generation import _LOCK, MARK
from runtime.distributed.rebuild.verify import verify
from runtime.verdict import Verdict
from stores.cassandra.address import Address
from tests.integration.distributed_models import Live, community
from tests.integration.installation import Installation
from tests.stores.on_cassandra import drop

pytestmark = pytest.mark.engines

SLICES = 4
IN_TIME_S = 60


@pytest.fixture(scope="module")
def installation(
    tmp_path_factory: pytest.TempPathFactory, kafka: str, postgres: str, cassandra: str, redis: str
) -> Iterator[Installation]:
    url = f"{cassandra.rstrip('/')}/verify_{uuid.uuid4().hex[:12]}"
    directory = tmp_path_factory.mktemp("installation")
    made = Installation(directory, kafka, postgres, cassandra=url, redis=redis).set_up()
    yield made
    drop(Address.parse(url))


@pytest.fixture
async def live(installation: Installation, monkeypatch: pytest.MonkeyPatch) -> AsyncIterator[Live]:
    async with Live(installation, monkeypatch) as made:
        ends = await made.log.ends()
        if not ends:
            await made.append(community().records)
            await made.project()
            email_key = await made.engines.keys.secret("email")
            await rebuild_decision_state(made.log, made.engines.decisions, email_key, made.log.ends)
        else:
            for building in made.building:
                await building.resume()
        yield made


async def verdict(live: Live) -> Verdict:
    return await verify(live.settings, lambda total: None, lambda done: None, slices=SLICES)


def differing(found: Verdict) -> list[tuple[str, str]]:
    return [(one.kind, one.name) for one in found.findings if not one.same]


async def test_everything_derived_is_a_function_of_the_log(live: Live) -> None:
    found = await verdict(live)
    assert differing(found) == []
    assert found.same
    assert {one.kind for one in found.findings} == {"read model", "feeds", "topic", "decision state"}
    assert {one.name for one in found.findings if one.kind == "topic"} == set(DERIVED)
    assert sum(one.live for one in found.findings) == sum(one.rebuilt for one in found.findings) > 1000


def beside_in_postgres(url: str) -> tuple[list[str], int]:
    """Schemas of a second set, and how many hold the lock of who makes one."""
    with psycopg.connect(url, autocommit=True) as connection:
        names = connection.execute("SELECT nspname FROM pg_namespace").fetchall()
        held = connection.execute(
            "SELECT count(*) FROM pg_locks WHERE locktype='advisory' AND (classid::bigint << 32 | objid::bigint) = %s"
            " AND database = (SELECT oid FROM pg_database WHERE datname = current_database())",
            (_LOCK,),
        ).fetchall()
    return [name for (name,) in names if name.endswith(f"_{MARK}")], held[0][0]


async def test_interrupted_it_ends_with_130_and_leaves_nothing_beside_the_live_stores(
    live: Live, installation: Installation
) -> None:
    schemas, _ = beside_in_postgres(installation.url)
    assert schemas == []
    verifying = await asyncio.create_subprocess_exec(
        *(sys.executable, "-m", "runtime.cli", "verify"),
        env=installation.environment,
        cwd=installation.directory,
        stdout=asyncio.subprocess.PIPE,
        stderr=asyncio.subprocess.PIPE,
    )
    async with asyncio.timeout(IN_TIME_S):
        while f"decisions_{MARK}" not in beside_in_postgres(installation.url)[0]:
            assert verifying.returncode is None, (await verifying.communicate())[1]
            await asyncio.sleep(0.05)
        verifying.send_signal(signal.SIGINT)
        _, said = await verifying.communicate()
    assert verifying.returncode == 130
    assert said == b"minitwitter: stopped; there is no verdict, and nothing was changed\n"
    assert beside_in_postgres(installation.url) == ([], 0)
    keyspace = live.generations.address.keyspace
    found = await live.engines.cassandra.read("SELECT keyspace_name FROM system_schema.keyspaces")
    assert [name for (name,) in found if name.startswith(f"{keyspace}_")] == []
    assert [
        key async for key in live.engines.redis.scan_iter(match=live.generations.marked(COUNTERS, MARK).keys.all)
    ] == []


async def one_of(live: Live, table: str, column: str) -> Any:
    rows = await live.engines.cassandra.read(
        f"SELECT {column} FROM {live.generations.address.keyspace}.{table} LIMIT 1"
    )
    return rows[0][0]


LATEST = 9_000_000_000_000_000
"""A timestamp after those of all events."""


async def a_user_is_renamed(live: Live) -> None:
    account = await one_of(live, "users", "account")
    table = f"{live.generations.address.keyspace}.users"
    statement = f"UPDATE {table} USING TIMESTAMP {LATEST} SET display_name='someone' WHERE account=?"
    await live.engines.cassandra.read(statement, (account,))


async def a_score_is_gone(live: Live) -> None:
    tweet = await one_of(live, "scores", "tweet")
    statement = f"DELETE FROM {live.generations.address.keyspace}.scores USING TIMESTAMP {LATEST} WHERE tweet=?"
    await live.engines.cassandra.read(statement, (tweet,))


async def a_like_is_counted_twice(live: Live) -> None:
    redis = live.engines.redis
    keys = [key async for key in redis.scan_iter(match=f"{live.generations.keys.all}:t:*")]
    assert await redis.hincrby(keys[0], "likes", 1)


def in_postgres(statement: str) -> Callable[[Live], Awaitable[None]]:
    async def damage(live: Live) -> None:
        with psycopg.connect(live.engines.settings.postgres, autocommit=True) as connection:
            assert connection.execute(statement).rowcount == 1

    return damage


async def a_notification_that_nobody_derived(live: Live) -> None:
    records = await live.log.read({}, 1000, ["notifications"])
    assert records[0].event is not None
    about = msgspec.structs.replace(records[0].about, id=EventId(HybridClock().issue()))
    await live.log.append([New(records[0].event, about)])


DAMAGES = {
    ("read model", "users"): a_user_is_renamed,
    ("read model", "sentiment"): a_score_is_gone,
    ("read model", "counts"): a_like_is_counted_twice,
    ("read model", "search"): in_postgres(
        "DELETE FROM search.search_tweets WHERE ctid=(SELECT max(ctid) FROM search.search_tweets)"
    ),
    ("topic", "notifications"): a_notification_that_nobody_derived,
    ("decision state", "decision_accounts"): in_postgres(
        "UPDATE decision_accounts SET version=version+1 WHERE ctid=(SELECT max(ctid) FROM decision_accounts)"
    ),
}


async def test_a_changed_row_in_each_store_is_a_difference_with_a_name(live: Live) -> None:
    for damage in DAMAGES.values():
        await damage(live)
    found = await verdict(live)
    assert not found.same
    assert set(differing(found)) == set(DAMAGES)
