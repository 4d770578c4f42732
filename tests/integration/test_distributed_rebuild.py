"""`minitwitter rebuild` on the real engines restores damaged and lost rows, and switches to the new generation."""

import asyncio
import json
import sys
import uuid
from collections.abc import AsyncIterator, Callable, Iterator
from typing import Any

import psycopg
import pytest

from events.log import Positions, TopicPartition
from runtime.distributed.models.catalogue import STORES
from runtime.distributed.rebuild import batch_runner, side_by_side
from runtime.distributed.rebuild import rebuild as rebuilding
from runtime.distributed.rebuild.notes import ProgressListener, noted, rebuilds
from runtime.distributed.rebuild.rebuild import CannotRebuild, rebuild, stores_of
from runtime.distributed.status import status
from stores.cassandra.address import Address
from stores.redis.digest import digest, remove
from tests.integration.distributed_models import Live, community
from tests.integration.installation import Installation
from tests.integration.test_distributed_verify import LATEST
from tests.stores.on_cassandra import drop

pytestmark = pytest.mark.engines

SLICES = 4

Open = Callable[[], Live]


@pytest.fixture(scope="module")
def installation(
    tmp_path_factory: pytest.TempPathFactory, kafka: str, postgres: str, cassandra: str, redis: str
) -> Iterator[Installation]:
    url = f"{cassandra.rstrip('/')}/rebuild_{uuid.uuid4().hex[:12]}"
    directory = tmp_path_factory.mktemp("installation")
    made = Installation(directory, kafka, postgres, cassandra=url, redis=redis).set_up()
    yield made
    for mark in ("", "_g1", "_g2"):
        drop(Address.parse(url + mark))


@pytest.fixture
def opened(installation: Installation, monkeypatch: pytest.MonkeyPatch) -> Open:
    """The stores as a process opens them now."""
    return lambda: Live(installation, monkeypatch)


@pytest.fixture
async def filled(opened: Open) -> AsyncIterator[Live]:
    async with opened() as live:
        if not await live.log.ends():
            await live.append(community().records)
            await live.project()
        yield live


async def rebuilt(live: Live, store: str, **options: Any) -> dict[str, bool | None]:
    found = await rebuild(live.settings, store, lambda total: None, lambda done: None, slices=SLICES, **options)
    return {one.model: one.same for one in found}


async def test_counters_that_are_wrong_are_right_again_and_one_can_go_back(filled: Live, opened: Open) -> None:
    redis, keys = filled.engines.redis, filled.generations.keys
    right = await digest(redis, keys)
    [key, *_] = [key async for key in redis.scan_iter(match=f"{keys.all}:t:*")]
    await redis.hincrby(key, "likes", 1)
    wrong = await digest(redis, keys)
    assert await rebuilt(filled, "redis") == {"counts": False}
    async with opened() as now:
        assert now.generations.keys.name != keys.name
        assert (await digest(redis, now.generations.keys))[0] == right[0]
        await now.append(community(40, seed=6).records)
        for building in now.building:
            await building.resume()
        await now.project(only=("counts",))
        assert await rebuilt(now, "redis", back=True) == {"counts": False}
    async with opened() as back:
        assert back.generations.keys.name == keys.name
        assert await digest(redis, keys) != wrong, "it was brought up from where it stopped"


async def test_while_it_runs_status_tells_what_is_rebuilt_and_how_far(filled: Live, installation: Installation) -> None:
    seen = []
    rebuilding = asyncio.create_task(rebuilt(filled, "redis"))
    while not rebuilding.done():
        seen += [one.store for one in await rebuilds(filled.settings)]
    await rebuilding
    assert set(seen) == {"redis"}
    assert await rebuilds(filled.settings) == []

    async with noted(
        filled.engines.settings.postgres, "redis", ProgressListener(lambda total: None, lambda done: None)
    ) as noting:
        noting.begin(200)
        noting.advance(80)
        async with asyncio.timeout(30):
            while not any(one.done for one in await rebuilds(filled.settings)):
                pass
        told = {
            model.name: model.building for group in (await status(filled.settings)).groups for model in group.models
        }
        assert {name for name, share in told.items() if share is not None} == {"counts"}
        assert told["counts"] == 0.4
        asked = await asyncio.to_thread(installation.command, "rebuild", "--status")
        assert asked.stdout == "counts: building, 40% (80 of 200 events)\n", asked.stderr
        asked = await asyncio.to_thread(installation.command, "rebuild", "--status", "--json")
        [found] = json.loads(asked.stdout)
        assert (found["models"], found["done"], found["total"]) == (["counts"], 80, 200)


async def test_counters_that_are_lost_are_counted_to_the_end_of_the_log(filled: Live, opened: Open) -> None:
    async with opened() as live:
        await remove(live.engines.redis, live.generations.keys)
        assert await rebuilt(live, "redis") == {"counts": None}
    async with opened() as now:
        rows, _ = await digest(now.engines.redis, now.generations.keys)
        assert rows > 10


async def test_a_table_of_the_search_that_was_emptied_is_full_again(filled: Live, opened: Open) -> None:
    with psycopg.connect(filled.engines.settings.postgres, autocommit=True) as connection:
        assert connection.execute("DELETE FROM search.user_search_names").rowcount
    assert await rebuilt(filled, "postgres") == {
        "search": True, "user_search": False, "hashtag_search": True, "trends": True
    }  # fmt: skip
    async with opened() as now:
        assert now.generations.database.schema == "search_g1"
        with psycopg.connect(now.engines.settings.postgres, autocommit=True) as connection:
            [(rows,)] = connection.execute("SELECT count(*) FROM search_g1.user_search_names").fetchall()
            assert rows > 0


async def test_a_read_model_of_cassandra_that_was_damaged_is_mended_and_the_others_are_the_same(
    filled: Live, opened: Open
) -> None:
    keyspace, cassandra = filled.generations.address.keyspace, filled.engines.cassandra
    [(account, name)] = await cassandra.read(f"SELECT account, username FROM {keyspace}.users LIMIT 1")
    damage = f"UPDATE {keyspace}.users USING TIMESTAMP {LATEST} SET username='someone' WHERE account=?"
    await cassandra.read(damage, (account,))
    found = await rebuilt(filled, "cassandra")
    assert [model for model, same in found.items() if not same] == ["users"]
    async with opened() as now:
        assert now.generations.address.keyspace != keyspace
        read = f"SELECT username FROM {now.generations.address.keyspace}.users WHERE account=?"
        assert await now.engines.cassandra.read(read, (account,)) == [(name,)]


async def test_there_is_nothing_to_go_back_to_before_the_first_rebuild(filled: Live) -> None:
    with psycopg.connect(filled.engines.settings.postgres, autocommit=True) as connection:
        connection.execute("DELETE FROM read_models.places")
    with pytest.raises(CannotRebuild, match="no generation before"):
        await rebuilt(filled, "redis", back=True)


async def test_what_processes_build_side_by_side_is_what_one_process_builds(
    filled: Live, opened: Open, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    left: list[int] = []

    async def noting(*arguments: Any, **named: Any) -> int:
        left.append(await batch_runner.build(*arguments, **named))
        return left[-1]

    with monkeypatch.context() as patch:
        patch.setattr(rebuilding, "WORTHWHILE", 1)
        patch.setattr(rebuilding, "build", noting)
        for store in STORES:
            await rebuilt(filled, store, processes=2)
    assert left, "it looks for what has happened since"
    assert sum(left) == 0, "the processes have applied everything"
    assert caplog.messages == []
    async with opened() as now:
        for store in STORES:
            found = await rebuilt(now, store)
            assert [model for model, same in found.items() if not same] == [], store


async def test_where_a_process_ends_early_the_rebuild_goes_on_without_it(
    opened: Open, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    monkeypatch.setattr(rebuilding, "WORTHWHILE", 1)
    monkeypatch.setattr(side_by_side, "command", lambda module: [sys.executable, "-c", "raise SystemExit(7)"])
    async with opened() as now:
        assert await rebuilt(now, "redis", processes=2) == {"counts": True}
    assert [message.rsplit(" ", 1)[1] for message in caplog.messages] == ["7"]


def test_a_group_stands_for_the_store_that_it_shares() -> None:
    assert stores_of(["streams", "home", "counts"]) == ["cassandra", "redis"]
    assert stores_of([]) == ["cassandra", "redis", "postgres"]
    with pytest.raises(CannotRebuild, match="there is no group 'nothing'"):
        stores_of(["nothing"])


def test_parts_have_all_partitions_once_and_about_as_many_events() -> None:
    events = {"tweets": (70, 10, 10, 10), "graph": (40, 40, 5, 5), "engagement": (1, 0, 0, 0)}
    until = {
        group: Positions(
            (TopicPartition(topic, n), end) for topic in topics for n, end in enumerate(events[topic]) if end
        )
        for group, topics in {"timelines": ("tweets", "graph"), "counts": ("tweets", "engagement")}.items()
    }
    parts = side_by_side.divided(until, 3)
    for group, positions in until.items():
        assert sorted(p for part in parts for p in part[group].items()) == sorted(positions.items())
    sizes = [sum(sum(positions.values()) for positions in part.values()) for part in parts]
    assert sizes == [140, 80, 71]
    assert [part["counts"] for part in side_by_side.divided({"counts": Positions()}, 3)] == []
