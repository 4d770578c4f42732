"""`work projectors` and `work streams` as processes: writes through the command API reach every store."""

from __future__ import annotations

import asyncio
import time
from collections.abc import Awaitable, Callable, Iterator, Sequence
from contextlib import ExitStack
from typing import Any, TypeVar

import httpx
import pytest

from events.ids import AccountId, TweetId, wall_clock
from runtime.distributed.models.groups import count_keys
from stores.cassandra.address import Address
from stores.cassandra.engagement import CassandraEngagement
from stores.cassandra.graph import CassandraGraph
from stores.cassandra.home_timelines import CassandraHomeTimelines
from stores.cassandra.notifications import CassandraNotifications
from stores.cassandra.sentiment import CassandraSentiment
from stores.cassandra.session import CassandraSession
from stores.cassandra.tweets import CassandraTweets
from stores.cassandra.user_timelines import CassandraUserTimelines
from stores.cassandra.users import CassandraUsers
from stores.composed.home_feed import HybridHomeFeed
from stores.counts import AccountCounts, TweetCounts
from stores.home_timelines import NEWEST, Keeping
from stores.notifications import KINDS
from stores.postgres.database import Database
from stores.postgres.search import PostgresSearch
from stores.postgres.user_search import PostgresUserSearch
from stores.redis.connection import connect
from stores.redis.counts import RedisCounts
from tests.integration.installation import SOON, Installation, Started, installed, post, ready, register

T = TypeVar("T")

pytestmark = [pytest.mark.engines, pytest.mark.slow, pytest.mark.long]


@pytest.fixture(scope="module")
def installation(
    tmp_path_factory: pytest.TempPathFactory, kafka: str, postgres: str, cassandra: str, redis: str
) -> Iterator[Installation]:
    """One installation for all tests, because its tables take seconds. Each test uses other user names."""
    place = tmp_path_factory.mktemp("installation")
    settings = {
        "MINITWITTER_RATE_LIMITS__TWEETS_BURST": "100",
        "MINITWITTER_WORKER_SESSION_S": "3",  # who is killed is missed sooner
    }
    with installed(place, kafka, postgres, cassandra, redis, Installation, **settings) as made:
        yield made


@pytest.fixture(scope="module")
def client(installation: Installation) -> Iterator[httpx.Client]:
    """A client of a command process. Each test starts its own workers."""
    with ExitStack() as stack:
        [(_, client)] = started(stack, installation, COMMAND)
        yield client


class Reading:
    """Return the read ports of the stores."""

    def __init__(self, installation: Installation) -> None:
        self._environment = installation.environment
        self._url = installation.url

    async def __aenter__(self) -> Reading:
        address = Address.parse(self._environment["MINITWITTER_CASSANDRA_URL"])
        self._session = session = await CassandraSession.connect(address)
        self._redis = connect(self._environment["MINITWITTER_REDIS_URL"])
        self._pool = Database(self._url).pool(2)
        await self._pool.open()
        keyspace = address.keyspace
        self.users, self.tweets = CassandraUsers(session, keyspace), CassandraTweets(session, keyspace)
        self.graph, self.engagement = CassandraGraph(session, keyspace), CassandraEngagement(session, keyspace)
        self.timelines = CassandraUserTimelines(session, keyspace)
        self.home = CassandraHomeTimelines(session, keyspace)
        self.home_feed = HybridHomeFeed(self.home)
        self.notifications = CassandraNotifications(session, keyspace)
        self.sentiment = CassandraSentiment(session, keyspace)
        self.counts = RedisCounts(self._redis, count_keys(self._environment["MINITWITTER_TOPIC_PREFIX"]))
        self.search, self.user_search = PostgresSearch(self._pool), PostgresUserSearch(self._pool)
        return self

    async def __aexit__(self, *error: None) -> None:
        await self._pool.close()
        await self._redis.aclose()
        await self._session.close()


async def until(condition: Callable[[], Awaitable[T | None]]) -> T:
    """Wait until an asynchronous condition returns a true value; return that value."""
    deadline = time.monotonic() + SOON
    while True:
        found = await condition()
        if found:
            return found
        assert time.monotonic() < deadline
        await asyncio.sleep(0.1)


def started(
    stack: ExitStack, installation: Installation, *roles: tuple[str, str]
) -> list[tuple[Started, httpx.Client]]:
    processes = []
    for words in roles:
        processes.append(stack.enter_context(installation.process(*words)))
        ready(*processes[-1])
    return processes


PROJECTORS, STREAMS, COMMAND = ("work", "projectors"), ("work", "streams"), ("serve", "command")
ALL = ("work", "all")


@pytest.mark.parametrize(
    ("workers", "author", "fan"),
    [((PROJECTORS, STREAMS), "ada", "bob"), ((ALL,), "ann", "bix")],
    ids=["a process a role", "one process"],
)
def test_writes_reach_every_store(
    installation: Installation, client: httpx.Client, workers: tuple[tuple[str, str], ...], author: str, fan: str
) -> None:
    with ExitStack() as stack:
        started(stack, installation, *workers)
        ada, bob = register(client, author), register(client, fan)
        tweet = post(client, ada, f"What a lovely day @{fan} #sunny").json()
        assert client.post(f"/api/v1/users/{author}/follow", headers=bob).status_code == 204
        assert client.post(f"/api/v1/tweets/{tweet['id']}/like", headers=bob).status_code == 204
        asyncio.run(everywhere(installation, tweet, author, fan))


async def everywhere(installation: Installation, tweet: Any, author: str, fan: str) -> None:
    id_ = tweet["id"]
    async with Reading(installation) as read:
        ada = await until(lambda: read.users.named(author.upper()))
        bob = await until(lambda: read.users.named(fan))
        assert ada.id == tweet["author"]["id"]
        assert (await until(lambda: read.tweets.by_ids([id_])))[id_].text == tweet["text"]
        await until(lambda: followed(read, bob.id, ada.id))
        marks = await until(lambda: read.engagement.marks(bob.id, [id_]))
        assert marks[id_].liked
        await until(lambda: listed(read, ada.id, id_))
        await until(lambda: counted(read, id_, TweetCounts(likes=1)))
        await until(lambda: counted_account(read, ada.id, AccountCounts(followers=1, tweets=1)))
        scores = await until(lambda: read.sentiment.scores([id_]))
        assert scores[id_].label == "positive"
        await until(lambda: told(read, ada.id, {"like", "follow"}))
        await until(lambda: told(read, bob.id, {"mention"}))
        found = await until(lambda: found_users(read, fan[:2]))
        assert bob.id in found
        await until(lambda: pushed(read, bob.id, [id_]))
        assert [activity.tweet for activity in (await read.home_feed.page(bob.id, None, 10)).items] == [id_]


async def pushed(read: Reading, viewer: AccountId, tweets: list[str]) -> bool:
    """Whether a timeline is complete and has these rows."""
    oldest = Keeping().oldest_written(wall_clock())
    rows, _ = await read.home.read(viewer, (NEWEST, oldest), 100, {}, 1)
    return [row.tweet for row in rows] == tweets and (await read.home.viewing(viewer)).floor is not None


async def listed(read: Reading, account: AccountId, tweet: TweetId) -> bool:
    return [activity.tweet for activity in (await read.timelines.all(account, None, 10)).items] == [tweet]


async def followed(read: Reading, follower: AccountId, followee: AccountId) -> bool:
    return followee in await read.graph.followees(follower)


async def counted(read: Reading, tweet: TweetId, counts: TweetCounts) -> bool:
    return (await read.counts.of_tweets([tweet])).get(tweet) == counts


async def counted_account(read: Reading, account: AccountId, counts: AccountCounts) -> bool:
    return (await read.counts.of_accounts([account])).get(account) == counts


async def told(read: Reading, recipient: AccountId, kinds: set[str]) -> bool:
    page = await read.notifications.newest(recipient, KINDS, None, 20)
    return {notification.kind for notification in page.items} == kinds


async def found_users(read: Reading, text: str) -> Sequence[AccountId]:
    return (await read.user_search.find(text, None, 5)).items


def test_killed_workers_count_every_event_exactly_once(installation: Installation, client: httpx.Client) -> None:
    with ExitStack() as stack:
        cyd = register(client, "cyd")
        tweet = post(client, cyd, "like me").json()
        likers = 0
        for _ in range(3):
            with installation.process(*PROJECTORS) as (worker, working):
                ready(worker, working)
                for _ in range(4):
                    token = register(client, f"liker_{likers}")
                    assert client.post(f"/api/v1/tweets/{tweet['id']}/like", headers=token).status_code == 204
                    likers += 1
                worker.kill()
                worker.wait()
        started(stack, installation, PROJECTORS)
        asyncio.run(liked(installation, tweet, likers))


def test_home_timelines_are_complete_after_workers_were_killed(
    installation: Installation, client: httpx.Client
) -> None:
    with ExitStack() as stack:
        dan, eve = register(client, "dan"), register(client, "eve")
        assert client.post("/api/v1/users/dan/follow", headers=eve).status_code == 204
        tweets = []
        for n in range(3):
            with installation.process(*PROJECTORS) as (worker, working):
                ready(worker, working)
                tweets += [post(client, dan, f"{n}, {more}").json()["id"] for more in range(4)]
                worker.kill()
                worker.wait()
        started(stack, installation, PROJECTORS, PROJECTORS)
        asyncio.run(all_pushed(installation, tweets[::-1]))


async def all_pushed(installation: Installation, tweets: list[str]) -> None:
    async with Reading(installation) as read:
        eve = await until(lambda: read.users.named("eve"))
        await until(lambda: pushed(read, eve.id, tweets))


def test_counters_that_are_wiped_are_counted_again(installation: Installation, client: httpx.Client) -> None:
    with ExitStack() as stack:
        started(stack, installation, PROJECTORS)
        fay = register(client, "fay")
        tweet = post(client, fay, "like me").json()
        like = f"/api/v1/tweets/{tweet['id']}/like"
        assert client.post(like, headers=register(client, "gus")).status_code == 204
        asyncio.run(liked(installation, tweet, 1))
        asyncio.run(wiped(installation))
        assert client.post(like, headers=register(client, "hal")).status_code == 204
        asyncio.run(liked(installation, tweet, 2))


async def wiped(installation: Installation) -> None:
    """Delete all keys of the counters from Redis."""
    redis = connect(installation.environment["MINITWITTER_REDIS_URL"])
    keys = [key async for key in redis.scan_iter(match=f"*{installation.prefix}*")]
    assert keys
    await redis.delete(*keys)
    await redis.aclose()


async def liked(installation: Installation, tweet: Any, number: int) -> None:
    async with Reading(installation) as read:
        await until(lambda: counted(read, tweet["id"], TweetCounts(likes=number)))
        await until(lambda: liked_by(read, tweet["id"], number))


async def liked_by(read: Reading, tweet: TweetId, number: int) -> bool:
    return len((await read.engagement.likers(tweet, None, 100)).items) == number
