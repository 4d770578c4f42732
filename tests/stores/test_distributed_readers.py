"""Every read port of the distributed profile answers, and raises StoreUnavailable while its engine is unavailable."""

from __future__ import annotations

import asyncio
import dataclasses
from collections.abc import AsyncIterator, Awaitable, Callable, Iterator
from functools import partial
from urllib.parse import urlsplit, urlunsplit

import pytest

from events.ids import AccountId, MediaId, Millis, NotificationId, TweetId, first_id_at
from runtime.distributed.models.caches import Memory
from runtime.distributed.models.groups import count_keys
from runtime.distributed.models.readers import readers
from stores.cassandra.address import Address
from stores.cassandra.home_timelines import CassandraHomeTimelines
from stores.cassandra.session import CassandraSession
from stores.graph import NOBODY_UNSEEN
from stores.notifications import KINDS, ReadMarks
from stores.pages import Page
from stores.postgres.database import Database
from stores.readers import Readers
from stores.redis.connection import connect
from stores.search import Query
from stores.sentiment import SentimentStep, about_tag
from stores.sink import StoreUnavailable
from tests.projections.projected import Projected, projected
from tests.stores.link import Link
from tests.stores.on_cassandra import OnCassandra
from tests.stores.on_postgres import a_schema

pytestmark = pytest.mark.engines

ADA, TWEET = AccountId(first_id_at(Millis(1))), TweetId(first_id_at(Millis(2)))
NOTIFICATION, MEDIUM = NotificationId(first_id_at(Millis(3))), MediaId(first_id_at(Millis(4)))
OTHERS = {"snapshot", "home_feed", "trends"}
"""Ports that have tests of their own."""
NOTHING: tuple[object, ...] = (
    None, [], {}, Page([], None), NOBODY_UNSEEN, ReadMarks("", frozenset()), {("like", TWEET): []},
    [SentimentStep(Millis(0), 0, 0, 0, 0, None)],
)  # fmt: skip
CASSANDRA, REDIS, POSTGRES = "cassandra", "redis", "postgres"


Question = Callable[[], Awaitable[object]]


def questions(of: Readers) -> dict[str, dict[str, Question]]:
    """All calls, by the engine that is read first, by port and by method."""
    return {
        CASSANDRA: {
            "users.named": partial(of.users.named, "ada"),
            "users.by_ids": partial(of.users.by_ids, [ADA]),
            "users.cards": partial(of.users.cards, [ADA]),
            "graph.relations": partial(of.graph.relations, ADA, [ADA]),
            "graph.unseen": partial(of.graph.unseen, ADA, [ADA]),
            "graph.followees": partial(of.graph.followees, ADA),
            "graph.followers": partial(of.graph.followers, ADA, None, 20),
            "graph.following": partial(of.graph.following, ADA, None, 20),
            "graph.blocks": partial(of.graph.blocks, ADA, None, 20),
            "graph.mutes": partial(of.graph.mutes, ADA, None, 20),
            "tweets.by_ids": partial(of.tweets.by_ids, [TWEET]),
            "tweets.history": partial(of.tweets.history, TWEET),
            "shown_tweets.of": partial(of.shown_tweets.of, ADA, [TWEET]),
            "engagement.marks": partial(of.engagement.marks, ADA, [TWEET]),
            "engagement.likers": partial(of.engagement.likers, TWEET, None, 20),
            "engagement.retweeters": partial(of.engagement.retweeters, TWEET, None, 20),
            "engagement.quotes": partial(of.engagement.quotes, TWEET, None, 20),
            "engagement.likes": partial(of.engagement.likes, ADA, None, 20),
            "engagement.bookmarks": partial(of.engagement.bookmarks, ADA, None, 20),
            "user_timelines.all": partial(of.user_timelines.all, ADA, None, 20),
            "user_timelines.without_replies": partial(of.user_timelines.without_replies, ADA, None, 20),
            "public_timeline.latest": partial(of.public_timeline.latest, None, 20),
            "conversations.ancestors": partial(of.conversations.ancestors, TWEET, 20),
            "conversations.replies": partial(of.conversations.replies, TWEET, None, 20),
            "conversations.first_replies": partial(of.conversations.first_replies, [TWEET], 3),
            "hashtags.tweets": partial(of.hashtags.tweets, "tag", None, 20),
            "sessions.of": partial(of.sessions.of, ADA, None, 20),
            "sentiment.scores": partial(of.sentiment.scores, [TWEET]),
            "sentiment.series": partial(of.sentiment.series, about_tag("tag"), Millis(0), Millis(3_600_000), 3_600_000),
            "notifications.newest": partial(of.notifications.newest, ADA, KINDS, None, 20),
            "notifications.members": partial(of.notifications.members, ADA, [("like", TWEET)], None, 3),
            "notifications.marks": partial(of.notifications.marks, ADA, [NOTIFICATION]),
            "recommendations.for_account": partial(of.recommendations.for_account, ADA, None, 20),
            "media.by_id": partial(of.media.by_id, MEDIUM),
        },
        REDIS: {
            "counts.of_tweets": partial(of.counts.of_tweets, [TWEET]),
            "counts.of_accounts": partial(of.counts.of_accounts, [ADA]),
            "recommendations.for_account": partial(of.recommendations.for_account, ADA, None, 20),
        },
        POSTGRES: {
            "search.newest": partial(of.search.newest, Query((("word",),)), None, 20),
            "user_search.find": partial(of.user_search.find, "ada", None, 20),
            "hashtag_search.find": partial(of.hashtag_search.find, "tag", None, 20),
        },
    }


@pytest.fixture(scope="module")
def kept(cassandra: str) -> Iterator[Address]:
    """An empty keyspace."""
    kept = OnCassandra(cassandra)
    yield kept.address
    kept.close()


@pytest.fixture(scope="module")
def schema(postgres: str) -> Iterator[Database]:
    with a_schema(postgres) as database:
        yield database


@pytest.fixture
def embedded() -> Iterator[Projected]:
    models = projected([])
    yield models
    models.close()


@dataclasses.dataclass
class Unavailable:
    """The bundle, and the links to the engines that it reads from."""

    readers: Readers
    links: dict[str, Link]


@pytest.fixture
async def reading(redis: str, kept: Address, schema: Database, embedded: Projected) -> AsyncIterator[Unavailable]:
    links = {CASSANDRA: Link(*kept.hosts[0]), REDIS: _link(redis), POSTGRES: _link(schema.url)}
    session = await CassandraSession.connect(dataclasses.replace(kept, hosts=(("127.0.0.1", links[CASSANDRA].port),)))
    client = connect(_through(redis, links[REDIS]))
    pool = Database(_through(schema.url, links[POSTGRES]), schema.schema).pool(2)
    await pool.open()
    others = embedded.readers
    bundle = readers(
        session,
        kept.keyspace,
        client,
        count_keys("test-"),
        pool,
        others.home_feed,
        others.trends,
        memory=Memory(CassandraHomeTimelines(session, kept.keyspace)),
        counts_unavailable=lambda: False,
    )
    yield Unavailable(bundle, links)
    await pool.close()
    await client.aclose()
    await session.close()
    for link in links.values():
        link.close()


def _link(url: str) -> Link:
    parts = urlsplit(url)
    assert parts.hostname is not None
    assert parts.port is not None
    return Link(parts.hostname, parts.port)


def _through(url: str, link: Link) -> str:
    parts = urlsplit(url)
    user, at, _ = parts.netloc.rpartition("@")
    return urlunsplit(parts._replace(netloc=f"{user}{at}127.0.0.1:{link.port}"))


async def test_every_port_answers_when_nothing_has_happened(reading: Unavailable) -> None:
    asked = questions(reading.readers)
    ports = {name.split(".")[0] for of in asked.values() for name in of}
    assert ports == {field.name for field in dataclasses.fields(Readers)} - OTHERS
    for of in asked.values():
        for name, question in of.items():
            assert await question() in NOTHING, name


@pytest.mark.parametrize("engine", [CASSANDRA, REDIS, POSTGRES])
async def test_a_port_raises_store_unavailable_with_its_engine_and_works_again_afterwards(
    reading: Unavailable, engine: str
) -> None:
    await asyncio.gather(*(question() for of in questions(reading.readers).values() for question in of.values()))
    reading.links[engine].cut()
    for of, those in questions(reading.readers).items():
        answers = await asyncio.gather(*(question() for question in those.values()), return_exceptions=True)
        told = dict(zip(those, answers, strict=True))
        unavailable = {name for name, answer in told.items() if isinstance(answer, StoreUnavailable)}
        shared = {"recommendations.for_account"} if engine in (CASSANDRA, REDIS) else set()
        assert unavailable == (set(those) if of == engine else shared & set(those)), told
    reading.links[engine].mend()
    deadline = asyncio.get_running_loop().time() + 30
    while True:
        try:
            await asyncio.gather(*(question() for question in questions(reading.readers)[engine].values()))
        except StoreUnavailable:
            assert asyncio.get_running_loop().time() < deadline
        else:
            break
