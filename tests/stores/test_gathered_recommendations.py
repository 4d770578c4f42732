"""Recommendations from Cassandra and Redis equal those of the embedded profile, page by page."""

from __future__ import annotations

import asyncio
import random
import uuid
from collections.abc import Awaitable, Callable, Iterator
from functools import partial

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from events.graph import AccountFollowed
from events.ids import AccountId, Millis, account_number
from stores.composed.recommendations import GatheredRecommendations
from stores.readers import Readers
from stores.recommendations import MOST_FRIENDS, MOST_OF_EACH
from stores.redis.connection import Client, connect
from stores.redis.most_followed import RedisMostFollowed
from stores.redis.sink import RedisKeys
from stores.sink import StoreUnavailable
from tests.community import Community
from tests.histories import batched, histories, interleaved, redelivered
from tests.projections.projected import projected
from tests.projections.test_what_read_models_answer import walk
from tests.stores.link import Link
from tests.stores.on_cassandra import OnCassandra
from tests.stores.redis_counting import SLOTS, Log, Worker, reader

pytestmark = pytest.mark.engines

SEEDS = st.integers(0, 2**32).map(random.Random)
FOLLOWS = ("follow", "follow", "follow", "follow", "unfollow", "block", "unblock", "mute")
many = partial(settings, suppress_health_check=[HealthCheck.function_scoped_fixture, HealthCheck.too_slow])


@pytest.fixture(scope="module")
def kept(cassandra: str) -> Iterator[OnCassandra]:
    kept = OnCassandra(cassandra)
    yield kept
    kept.close()


@pytest.fixture
def name() -> str:
    """A unique prefix of keys for each test."""
    return f"counts-{uuid.uuid4().hex[:12]}@1"


async def counted(client: Client, name: str, community: Community, randomness: random.Random) -> None:
    """Count a community again, with copies and in another order of events."""
    await client.delete(RedisKeys(name, SLOTS).state)
    log = Log(redelivered(interleaved(community.records, randomness), randomness))
    log.open = 1
    await Worker(client, log, name, limit=randomness.choice((1, 7, 100))).work()


def gathered(readers: Readers, client: Client, name: str) -> GatheredRecommendations:
    most_followed = RedisMostFollowed(client, RedisKeys(name, SLOTS))
    return GatheredRecommendations(readers.users, readers.graph, reader(client, name), most_followed)


async def agree(community: Community, recommended: GatheredRecommendations, embedded: Readers, limit: int) -> None:
    for account in community.accounts:
        pages = [partial(one.for_account, account) for one in (recommended, embedded.recommendations)]
        assert await walk(pages[0], limit) == await walk(pages[1], limit)


def with_redis(url: str, work: Callable[[Client], Awaitable[object]]) -> None:
    async def run() -> None:
        client = connect(url)
        try:
            await work(client)
        finally:
            await client.aclose()

    asyncio.run(run())


def crowd(accounts: int, steps: int, randomness: random.Random) -> Community:
    """A community with follows only."""
    community = Community()
    for _ in range(accounts):
        community.register()
    for _ in range(steps):
        one, other, n = randomness.randrange(accounts), randomness.randrange(accounts), randomness.randrange(1000)
        community.act(randomness.choice(FOLLOWS), one, other, n)
    return community


@many(max_examples=25)
@given(st.integers(1, 25), st.integers(0, 300), st.integers(1, 6), SEEDS)
def test_the_same_accounts_are_recommended_in_the_same_order(
    redis: str, name: str, accounts: int, steps: int, limit: int, randomness: random.Random
) -> None:
    community = crowd(accounts, steps, randomness)
    embedded = projected([community.records])

    async def check(client: Client) -> None:
        await counted(client, name, community, randomness)
        await agree(community, gathered(embedded.readers, client, name), embedded.readers, limit)

    try:
        with_redis(redis, check)
    finally:
        embedded.close()


@many(max_examples=6)
@given(histories(most=80), st.integers(1, 4), SEEDS)
def test_cassandra_and_redis_recommend_the_same_as_the_embedded_profile(
    kept: OnCassandra, redis: str, name: str, community: Community, limit: int, randomness: random.Random
) -> None:
    embedded = projected([community.records])

    async def check() -> None:
        client = connect(redis)
        await kept.empty()
        await kept.apply(batched(interleaved(community.records, randomness), randomness))
        await counted(client, name, community, randomness)
        recommended = gathered(kept.readers(embedded.readers), client, name)
        await agree(community, recommended, embedded.readers, limit)
        await client.aclose()

    try:
        kept.run(check())
    finally:
        embedded.close()


def test_only_the_newest_followees_of_only_the_newest_friends_count(kept: OnCassandra, redis: str, name: str) -> None:
    community = Community()
    viewer, *friends = (community.register() for _ in range(MOST_FRIENDS + 2))
    others = [community.register() for _ in range(MOST_OF_EACH + 1)]
    follows = [(viewer, friend) for friend in friends]
    follows += [(friend, other) for friend in (friends[0], friends[-1]) for other in others]
    for follower, followee in follows:
        community.now = Millis(community.now + 1)
        community.tell(AccountFollowed(follower=follower, followee=followee), follower)
    embedded = projected([community.records])

    async def check() -> list[AccountId]:
        client = connect(redis)
        await kept.empty()
        await kept.apply([community.records])
        await counted(client, name, community, random.Random(1))
        recommended = gathered(kept.readers(embedded.readers), client, name)
        await agree(community, recommended, embedded.readers, 20)
        found = await walk(partial(recommended.for_account, viewer), 100)
        await client.aclose()
        return found

    try:
        found = kept.run(check())
        assert set(found[:-1]) == set(others[1:]), "by the newest friend alone"
        assert found[-1] == others[0], "who is only among the most followed"
    finally:
        embedded.close()


@many(max_examples=20)
@given(st.integers(1, 40), st.integers(0, 300), SEEDS)
def test_the_most_followed_accounts_come_from_all_slots(
    redis: str, name: str, accounts: int, steps: int, randomness: random.Random
) -> None:
    community = crowd(accounts, steps, randomness)
    followers = dict.fromkeys(community.accounts, 0)
    for _, followee in community.follows:
        followers[followee] += 1
    ranked = sorted((a for a in followers if followers[a]), key=lambda a: (-followers[a], account_number(a)))

    async def check(client: Client) -> None:
        await counted(client, name, community, randomness)
        most_followed = RedisMostFollowed(client, RedisKeys(name, SLOTS))
        for limit in (1, 2, 3, 10, 150):
            assert await most_followed.most_followed(limit) == ranked[:limit]

    with_redis(redis, check)


def test_an_account_without_followers_is_removed_from_the_ranking(redis: str, name: str) -> None:
    community = Community()
    ada, bob = community.register(), community.register()
    community.follow(ada, bob)
    community.unfollow(ada, bob)

    async def check(client: Client) -> None:
        await counted(client, name, community, random.Random(1))
        assert await RedisMostFollowed(client, RedisKeys(name, SLOTS)).most_followed(10) == []
        assert await client.exists(*RedisKeys(name, SLOTS).rankings("followers")) == 0

    with_redis(redis, check)


def test_an_unavailable_redis_raises_store_unavailable(name: str) -> None:
    link = Link("127.0.0.1", 1)
    link.cut()

    async def check(client: Client) -> None:
        with pytest.raises(StoreUnavailable):
            await RedisMostFollowed(client, RedisKeys(name, SLOTS)).most_followed(10)

    with_redis(f"redis://127.0.0.1:{link.port}/0", check)
    link.close()
