"""`minitwitter verify` on the real engines: it agrees with what is right, and names whatever is not."""

import uuid

import msgspec
import psycopg
import pytest
from distributed_models import Live, community
from installation import Installation

from command_api.postgres.rebuild import rebuild_decision_state
from events.ids import EventId, HybridClock
from events.log import New
from events.topics import DERIVED
from runtime.distributed.verifying import verify
from stores.cassandra.address import Address
from tests.stores.on_cassandra import drop

pytestmark = pytest.mark.engines

SLICES = 4


@pytest.fixture(scope="module")
def installation(tmp_path_factory, kafka, postgres, cassandra, redis):
    url = f"{cassandra.rstrip('/')}/verify_{uuid.uuid4().hex[:12]}"
    directory = tmp_path_factory.mktemp("installation")
    made = Installation(directory, kafka, postgres, cassandra=url, redis=redis).set_up()
    yield made
    drop(Address.parse(url))


@pytest.fixture
async def live(installation, monkeypatch):
    async with Live(installation, monkeypatch) as made:
        ends = await made.log.ends()
        if not ends:
            await made.append(community().records)
            await made.project()
            email_key = await made.stores.keys.secret("email")
            await rebuild_decision_state(made.log, made.stores.pool, email_key, await made.log.ends())
        else:
            for building in made.building:
                await building.resume()
        yield made


async def verdict(live):
    return await verify(live.settings, lambda total: None, lambda done: None, slices=SLICES)


def differing(found):
    return [(one.kind, one.name) for one in found.findings if not one.same]


async def test_everything_derived_is_a_function_of_the_log(live):
    found = await verdict(live)
    assert differing(found) == []
    assert found.same
    assert {one.kind for one in found.findings} == {"read model", "feeds", "topic", "decision state"}
    assert {one.name for one in found.findings if one.kind == "topic"} == set(DERIVED)
    assert sum(one.live for one in found.findings) == sum(one.rebuilt for one in found.findings) > 1000


async def one_of(live, table, column):
    rows = await live.stores.cassandra.read(f"SELECT {column} FROM {live.places.address.keyspace}.{table} LIMIT 1")
    return rows[0][0]


LATEST = 9_000_000_000_000_000
"""A timestamp after those of all events."""


async def a_user_is_renamed(live):
    account = await one_of(live, "users", "account")
    table = f"{live.places.address.keyspace}.users"
    statement = f"UPDATE {table} USING TIMESTAMP {LATEST} SET display_name='someone' WHERE account=?"
    await live.stores.cassandra.read(statement, (account,))


async def a_score_is_gone(live):
    tweet = await one_of(live, "scores", "tweet")
    statement = f"DELETE FROM {live.places.address.keyspace}.scores USING TIMESTAMP {LATEST} WHERE tweet=?"
    await live.stores.cassandra.read(statement, (tweet,))


async def a_like_is_counted_twice(live):
    redis = live.stores.redis
    keys = [key async for key in redis.scan_iter(match=f"{live.places.keys.all}:t:*")]
    assert await redis.hincrby(keys[0], "likes", 1)


def in_postgres(statement):
    async def damage(live):
        with psycopg.connect(live.stores.postgres_url, autocommit=True) as connection:
            assert connection.execute(statement).rowcount == 1

    return damage


async def a_notification_that_nobody_derived(live):
    records = await live.log.read({}, 1000, ["notifications"])
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


async def test_a_changed_row_in_each_store_is_a_difference_with_a_name(live):
    for damage in DAMAGES.values():
        await damage(live)
    found = await verdict(live)
    assert not found.same
    assert set(differing(found)) == set(DAMAGES)
