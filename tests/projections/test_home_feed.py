"""Law 5: the home feed equals its definition, for every history and page size, also if activities arrive meanwhile."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import apsw
import pytest
from hypothesis import given
from hypothesis import strategies as st

from events.ids import AccountId, ActivityId, TweetId, account_number, from_bytes
from query_api.feeds import home_feed
from rest.resources import FeedItem
from runtime.embedded.models import ALL_TABLES, readers
from stores.readers import Readers
from stores.sqlite.views import Views
from tests.community import Community
from tests.examples import at_most
from tests.histories import CHOICES, histories
from tests.projections.projected import Projected, projected

Item = tuple[TweetId, AccountId, bool]
"""One activity: a tweet, the account that brought it into the feed, and whether it is a retweet."""


def defined_feed(c: Community, viewer: AccountId) -> list[Item]:
    """Law 5, written once more."""
    followed = {viewer} | {b for a, b in c.follows if a == viewer}
    unseen = {b for a, b in [*c.blocks, *c.mutes] if a == viewer} | {a for a, b in c.blocks if b == viewer}
    posts = [
        (str(t.id), t.author, t, False)
        for t in c.tweets.values()
        if t.author == viewer or t.reply_to is None or t.reply_to.author in followed
    ]
    retweets = [(str(id_), actor, c.tweets[tweet], True) for (actor, tweet), id_ in c.retweets.items()]
    activities = sorted([*posts, *retweets], key=lambda activity: activity[0], reverse=True)
    return [
        (t.id, by, retweet)
        for _, by, t, retweet in activities
        if by in followed and not t.deleted and not {by, t.author} & unseen
    ]


def item(served: FeedItem) -> Item:
    """Return the activity of an item."""
    return TweetId(served.tweet.id), AccountId(served.reason.by.id), served.reason.kind == "retweeted"


async def walk(
    readers: Readers, viewer: AccountId, limit: int, between: Callable[[], Any] = lambda: None
) -> list[Item]:
    """Return all pages of a feed; `between` runs after each."""
    seen: list[Item] = []
    position: str | None = None
    while True:
        page = await home_feed(readers, viewer, position, limit)
        assert len(page.items) <= limit
        seen += map(item, page.items)
        position = page.next
        if position is None:
            return seen
        await between() if asyncio.iscoroutinefunction(between) else between()


@at_most(120)
@given(histories(most=80), st.integers(1, 8))
def test_the_feed_is_what_its_definition_says(community: Community, limit: int) -> None:
    models = projected([community.records])

    for viewer in community.accounts:
        assert asyncio.run(walk(models.readers, viewer, limit)) == defined_feed(community, viewer)

    models.close()


@at_most(80)
@given(
    histories(most=60),
    st.integers(1, 4),
    st.lists(
        st.tuples(st.sampled_from(CHOICES), st.integers(0, 3), st.integers(0, 3), st.integers(0, 60)), max_size=40
    ),
)
def test_whatever_happens_between_pages_nothing_comes_twice_and_nothing_that_stays_is_missed(
    community: Community, limit: int, meanwhile: list[tuple[str, int, int, int]]
) -> None:
    steps = iter(meanwhile)
    viewer = community.accounts[0]

    async def scenario() -> None:
        models = Projected()
        await models.apply(community.records)
        states = [defined_feed(community, viewer)]

        async def between() -> None:
            told = len(community.records)
            for step in [step for _, step in zip(range(5), steps, strict=False)]:
                community.act(*step)
            if community.records[told:]:
                await models.apply(community.records[told:])
            states.append(defined_feed(community, viewer))

        seen = await walk(models.readers, viewer, limit, between)

        assert len(seen) == len(set(seen))
        assert set.intersection(*map(set, states)) <= set(seen) <= set.union(*map(set, states))
        models.close()

    asyncio.run(scenario())


class Three:
    """Ada, Bob and Cleo; the tests read Ada's feed."""

    def __init__(self) -> None:
        self.community = Community()
        self.ada, self.bob, self.cleo = (self.community.register() for _ in range(3))

    def feed(self) -> list[Item]:
        """Return Ada's feed."""
        models = projected([self.community.records])
        try:
            return asyncio.run(walk(models.readers, self.ada, 20))
        finally:
            models.close()


@pytest.fixture
def three() -> Three:
    return Three()


def test_ones_own_tweets_and_retweets_are_in_ones_feed(three: Three) -> None:
    c = three.community
    own = c.post(three.ada, 0)
    others = c.post(three.bob, 0)
    assert own is not None
    assert others is not None
    c.retweet(three.ada, others)

    assert three.feed() == [(others, three.ada, True), (own, three.ada, False)]


def test_a_reply_is_shown_only_to_those_who_also_follow_the_one_replied_to(three: Three) -> None:
    c = three.community
    c.follow(three.ada, three.bob)
    tweet = c.post(three.cleo, 0)
    reply = c.post(three.bob, 1, reply_to=tweet)
    assert three.feed() == []

    c.follow(three.ada, three.cleo)

    assert three.feed() == [(reply, three.bob, False), (tweet, three.cleo, False)]


def test_ones_own_reply_is_in_ones_feed_whoever_is_replied_to(three: Three) -> None:
    c = three.community
    c.follow(three.bob, three.ada)
    reply = c.post(three.ada, 1, reply_to=c.post(three.cleo, 0))

    assert three.feed() == [(reply, three.ada, False)]


def test_replies_to_the_viewer_and_threads_are_shown(three: Three) -> None:
    c = three.community
    c.follow(three.ada, three.bob)
    mine = c.post(three.ada, 0)
    answer = c.post(three.bob, 1, reply_to=mine)
    thread = c.post(three.bob, 2, reply_to=answer)

    assert [tweet for tweet, _, _ in three.feed()] == [thread, answer, mine]


def test_a_tweet_posted_and_passed_on_by_two_is_three_items(three: Three) -> None:
    c = three.community
    c.follow(three.ada, three.bob)
    c.follow(three.ada, three.cleo)
    tweet = c.post(three.bob, 0)
    assert tweet is not None
    c.retweet(three.cleo, tweet)
    c.retweet(three.ada, tweet)

    assert three.feed() == [(tweet, three.ada, True), (tweet, three.cleo, True), (tweet, three.bob, False)]


def test_unfollowing_takes_everything_out_and_following_again_brings_it_back(three: Three) -> None:
    c = three.community
    c.follow(three.ada, three.bob)
    tweet = c.post(three.bob, 0)
    c.unfollow(three.ada, three.bob)
    assert three.feed() == []

    c.follow(three.ada, three.bob)

    assert three.feed() == [(tweet, three.bob, False)]


def test_what_a_muted_account_wrote_is_not_shown_when_others_pass_it_on(three: Three) -> None:
    c = three.community
    c.follow(three.ada, three.bob)
    tweet = c.post(three.cleo, 0)
    assert tweet is not None
    c.retweet(three.bob, tweet)
    assert three.feed() == [(tweet, three.bob, True)]

    c.mute(three.ada, three.cleo)

    assert three.feed() == []


def test_a_block_hides_what_others_pass_on_of_either(three: Three) -> None:
    c = three.community
    c.follow(three.ada, three.bob)
    tweet = c.post(three.cleo, 0)
    assert tweet is not None
    c.retweet(three.bob, tweet)

    c.block(three.cleo, three.ada)

    assert three.feed() == []


def test_an_imported_tweet_stands_where_its_time_puts_it(three: Three) -> None:
    c = three.community
    c.follow(three.ada, three.bob)
    new = c.post(three.bob, 0)
    old = c.import_tweet(three.bob, 1)
    newer = c.post(three.bob, 2)

    assert [tweet for tweet, _, _ in three.feed()] == [newer, new, old]


def test_a_followee_that_only_replies_to_strangers_does_not_end_the_feed(three: Three) -> None:
    c = three.community
    c.follow(three.ada, three.bob)
    first = c.post(three.bob, 0)
    tweet = c.post(three.cleo, 0)
    for n in range(600):
        c.post(three.bob, n, reply_to=tweet)
    models = projected([c.records])

    page = asyncio.run(home_feed(models.readers, three.ada, None, 20))

    assert page.items == []
    assert page.next is not None  # a short page has the position of the next one
    assert asyncio.run(walk(models.readers, three.ada, 20)) == [(first, three.bob, False)]
    models.close()


def test_a_muted_followee_that_posts_a_lot_does_not_empty_the_pages(three: Three) -> None:
    c = three.community
    c.follow(three.ada, three.bob)
    own = c.post(three.ada, 0)
    for n in range(600):
        c.post(three.bob, n)
    c.mute(three.ada, three.bob)
    models = projected([c.records])

    page = asyncio.run(home_feed(models.readers, three.ada, None, 20))

    assert [served.tweet.id for served in page.items] == [own]
    assert page.next is None
    models.close()


FOLLOWEES, TWEETS_OF_EACH = 300, 1000
MOST_STEPS = 15_000
"""Steps of SQLite's virtual machine per page. Sorting all followed tweets takes more than a million."""


@pytest.fixture(scope="module")
def crowded(tmp_path_factory: pytest.TempPathFactory) -> Iterator[tuple[apsw.Connection, Readers, AccountId]]:
    """Return an account that follows 300 accounts with 1,000 tweets each, posted in turn."""
    views = Views(Path(tmp_path_factory.mktemp("crowded")) / "views.db", ALL_TABLES)
    names = views.names()
    viewer, *followees = (AccountId(from_bytes(bytes(14) + n.to_bytes(2, "big"))) for n in range(1, FOLLOWEES + 2))
    with views.connection as connection:
        for account in (viewer, *followees):
            connection.execute(
                "INSERT INTO {users} VALUES (?, ?, ?, '', '', '', '', '', 0, 0, 1, NULL, NULL, 'user', ?)".format(
                    **names
                ),
                (account_number(account), account, account, account),
            )
        connection.executemany(
            "INSERT INTO {follows} VALUES (?, ?, ?)".format(**names),
            ((account_number(viewer), account_number(account), bytes(16)) for account in followees),
        )
        connection.executemany(
            "INSERT INTO {user_timelines} VALUES (?, ?, NULL, NULL)".format(**names),
            (
                (account_number(account), (turn * FOLLOWEES + n).to_bytes(16, "big"))
                for n, account in enumerate(followees)
                for turn in range(TWEETS_OF_EACH)
            ),
        )
        newest = "INSERT INTO {newest_activities} SELECT account, max(activity) FROM {user_timelines} GROUP BY account"
        connection.execute(newest.format(**names))
    yield views.connection, readers(views.connection, names), viewer
    views.connection.close()


@pytest.mark.parametrize("before", [None, FOLLOWEES * TWEETS_OF_EACH // 2, FOLLOWEES * 2])
def test_a_page_takes_about_one_seek_a_followee_however_long_their_timelines(
    crowded: tuple[apsw.Connection, Readers, AccountId], before: int | None
) -> None:
    connection, models, viewer = crowded
    position = None if before is None else from_bytes(before.to_bytes(16, "big"))
    steps = []
    connection.trace_v2(
        apsw.SQLITE_TRACE_PROFILE,
        lambda event: steps.append(event["stmt_status"]["SQLITE_STMTSTATUS_VM_STEP"]),
        id="steps",
    )

    page = asyncio.run(models.home_feed.page(viewer, position, 20))

    connection.trace_v2(0, None, id="steps")
    newest = FOLLOWEES * TWEETS_OF_EACH if before is None else before
    assert [activity.id for activity in page.items] == [
        ActivityId(from_bytes((newest - n).to_bytes(16, "big"))) for n in range(1, 21)
    ]
    assert sum(steps) < MOST_STEPS
