"""Read models of the distributed profile beside a log that is not theirs, and tables that lost their rows."""

import uuid
from collections.abc import AsyncIterator, Callable, Iterator

import psycopg
import pytest

from events.fitting import DoesNotFit, Mark
from events.ids import Millis, first_id_at, to_bytes
from runtime.distributed.consistency.decision_state import ids_before
from runtime.distributed.consistency.log_identity import LogIdentityWatch, check_fit, lacking_rows, marks_of, misfits
from runtime.distributed.rebuild.rebuild import rebuild
from stores.cassandra.address import Address
from tests.integration.distributed_models import Live, community
from tests.integration.installation import Installation
from tests.stores.on_cassandra import drop

pytestmark = pytest.mark.engines

OTHER = first_id_at(Millis(7))


@pytest.fixture(scope="module")
def installation(
    tmp_path_factory: pytest.TempPathFactory, kafka: str, postgres: str, cassandra: str, redis: str
) -> Iterator[Installation]:
    url = f"{cassandra.rstrip('/')}/fitting_{uuid.uuid4().hex[:12]}"
    directory = tmp_path_factory.mktemp("installation")
    made = Installation(directory, kafka, postgres, cassandra=url, redis=redis).set_up()
    yield made
    for mark in ("", "_g1"):
        drop(Address.parse(url + mark))


@pytest.fixture
def opened(installation: Installation, monkeypatch: pytest.MonkeyPatch) -> Callable[[], Live]:
    return lambda: Live(installation, monkeypatch)


@pytest.fixture
async def filled(opened: Callable[[], Live]) -> AsyncIterator[Live]:
    async with opened() as live:
        if not await live.log.ends():
            await live.append(community().records)
            await live.project()
        yield live


async def test_read_models_built_from_this_log_fit_it(filled: Live) -> None:
    assert await misfits(filled.engines) == {}
    await check_fit(filled.engines)
    marks = await marks_of(filled.engines)
    assert set(marks) == {"timelines", "streams", "counts", "search", "trends", "home"}
    home = marks.pop("home")
    assert {place: mark for place, mark in home.items() if mark.next} == {
        place: Mark(mark.next) for place, mark in marks["timelines"].items() if place in home
    }, "they are held to the end of the log alone"
    for of_group in marks.values():
        at = {place: mark.next for place, mark in of_group.items()}
        assert await ids_before(filled.log, at) == {place: mark.last for place, mark in of_group.items() if mark.next}


async def test_lost_rows_of_new_tweets_are_detected(filled: Live) -> None:
    assert await lacking_rows(filled.engines) == ""
    keyspace = filled.generations.address.keyspace
    await filled.engines.cassandra.read(f"TRUNCATE {keyspace}.user_timelines")
    watching = LogIdentityWatch(filled.engines)
    assert watching.parts() == []
    await watching.look()
    [part] = watching.parts()
    assert part.state == "degraded"
    assert "user_timelines lacks tweet" in part.detail
    assert "`minitwitter rebuild timelines`" in part.detail


@pytest.mark.parametrize("group", ["timelines", "counts", "search"])
async def test_a_store_built_from_another_log_is_refused_and_named(filled: Live, group: str) -> None:
    keyspace, keys, url = filled.generations.address.keyspace, filled.generations.keys, filled.engines.settings.postgres
    [(place, mark), *_] = [(p, m) for p, m in (await marks_of(filled.engines))[group].items() if m.last]
    if group == "timelines":
        other = OTHER if mark.last < OTHER else "f" + mark.last[1:]  # of one timestamp, the greater value wins
        await filled.engines.cassandra.read(
            f"INSERT INTO {keyspace}.positions (consumers, topic, partition, last)"
            " VALUES (?, ?, ?, ?) USING TIMESTAMP ?",
            (group, place.topic, place.partition, to_bytes(other), mark.next),
        )
        end = (await filled.log.ends())[place] + 1
        await filled.engines.cassandra.read(
            f"INSERT INTO {keyspace}.home_progress (topic, partition, next) VALUES (?, ?, ?) USING TIMESTAMP ?",
            (place.topic, place.partition, end, end),
        )
    elif group == "counts":
        await filled.engines.redis.hset(keys.partition(place), "last", to_bytes(OTHER))
    else:
        async with await psycopg.AsyncConnection.connect(url, autocommit=True) as connection:
            await connection.execute(
                f"UPDATE {filled.generations.database.schema}.positions SET last=%s"
                " WHERE consumers=%s AND topic=%s AND partition=%s",
                (OTHER, group, place.topic, place.partition),
            )
    found = await misfits(filled.engines)
    assert set(found) == {group, *(("home",) if group == "timelines" else ())}
    assert f"`minitwitter rebuild {group}`" in found[group]
    with pytest.raises(DoesNotFit, match=f"{place}@{mark.next - 1} is event {mark.last} in the log"):
        await check_fit(filled.engines)
    watching = LogIdentityWatch(filled.engines)
    await watching.look()
    assert watching.parts()[0].state == "down"
    store = {"timelines": "cassandra", "counts": "redis", "search": "postgres"}[group]
    await rebuild(filled.settings, store, lambda total: None, lambda done: None, slices=4)


async def test_after_a_rebuild_from_the_present_log_all_stores_fit(opened: Callable[[], Live]) -> None:
    async with opened() as live:
        assert await misfits(live.engines) == {}
        assert await lacking_rows(live.engines) == ""
