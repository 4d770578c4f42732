"""Read models on Cassandra answer correctly for any order and batches of events, and after crashes (laws 3 and 4)."""

from __future__ import annotations

import random
from collections.abc import Iterable, Iterator, Sequence
from functools import partial

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from events.entities import fold_tag
from events.event import Event
from events.graph import AccountFollowed
from events.ids import Millis, NotificationId, derived_id
from events.log import Positions, Record, positions_after
from events.personal import NotificationRead
from runtime.distributed.models import groups
from stores.cassandra.notifications import KEPT_S
from stores.notifications import GROUPED, KINDS
from stores.readers import Readers
from stores.sentiment import about_mention, about_tag
from tests.community import HOUR, Community
from tests.histories import batched, histories, interleaved, redelivered
from tests.projections import test_what_read_models_answer as answers
from tests.projections.projected import projected
from tests.stores.on_cassandra import OnCassandra

pytestmark = pytest.mark.engines

Derived = tuple[str, Event]
SEEDS = st.integers(0, 2**32).map(random.Random)
few = partial(settings, suppress_health_check=[HealthCheck.function_scoped_fixture, HealthCheck.too_slow])
CHECKS = (
    answers.the_graph,
    answers.tweets,
    answers.shown_tweets,
    answers.engagement,
    answers.timelines,
    answers.the_public_timeline,
    answers.conversations,
    answers.hashtags,
    answers.users,
)


@pytest.fixture(scope="module")
def kept(cassandra: str) -> Iterator[OnCassandra]:
    kept = OnCassandra(cassandra)
    yield kept
    kept.close()


def digests(kept: OnCassandra, batches: Iterable[Sequence[Record]]) -> dict[str, tuple[int, str]]:
    async def applied() -> dict[str, tuple[int, str]]:
        await kept.empty()
        await kept.apply(batches)
        return await kept.digests()

    return kept.run(applied())


def told(kept: OnCassandra) -> list[Derived]:
    """Return the derived events."""
    return [(new.about.id, new.event) for new in kept.derived]


async def notifications(c: Community, readers: Readers, embedded: Readers, limit: int) -> None:
    for account in c.accounts:
        for kinds in (KINDS, ("like", "mention")):
            listed = [partial(one.notifications.newest, account, kinds) for one in (readers, embedded)]
            told, expected = [await answers.walk(fetch, limit) for fetch in listed]
            assert told == expected
            ids = [notification.id for notification in expected]
            assert await readers.notifications.marks(account, ids) == await embedded.notifications.marks(account, ids)
        groups = {(n.kind, n.tweet) for n in expected if n.kind in GROUPED and n.tweet is not None}
        for up_to in (None, *ids[:2]):
            members = [await one.notifications.members(account, groups, up_to, limit) for one in (readers, embedded)]
            assert members[0] == members[1]


async def sentiment(c: Community, readers: Readers, embedded: Readers, limit: int) -> None:
    everything = list(c.tweets)
    assert await readers.sentiment.scores(everything) == await embedded.sentiment.scores(everything)
    tags = {about_tag(fold_tag(tag.tag)) for t in c.tweets.values() for tag in t.entities.hashtags}
    start, end = Millis(c.now - 61 * HOUR), Millis(c.now + HOUR)
    for subject in (*tags, about_mention("user1"), about_tag("never"), *c.accounts):
        for step in (HOUR, 31 * HOUR):
            series = [await one.sentiment.series(subject, start, end, step) for one in (readers, embedded)]
            assert series[0] == series[1]


async def sessions(c: Community, readers: Readers, embedded: Readers, limit: int) -> None:
    for account in c.accounts:
        listed = [partial(one.sessions.of, account) for one in (readers, embedded)]
        assert await answers.walk(listed[0], limit) == await answers.walk(listed[1], limit)


@few(max_examples=8)
@given(histories(most=80), st.integers(1, 5), SEEDS)
def test_every_read_model_answers_correctly_and_as_the_embedded_profile(
    kept: OnCassandra, community: Community, limit: int, randomness: random.Random
) -> None:
    for record in randomness.sample(community.records, k=len(community.records) // 10):
        owner = randomness.choice(community.accounts)
        read = NotificationId(derived_id(record.about.id, owner))
        community.tell(NotificationRead(owner=owner, notification=read), owner)
    embedded = projected([community.records])

    async def check() -> None:
        await kept.empty()
        await kept.apply(batched(interleaved(community.records, randomness), randomness))
        readers = kept.readers(embedded.readers)
        for holds in CHECKS:
            await holds(community, readers, limit)
        for agrees in (notifications, sentiment, sessions):
            await agrees(community, readers, embedded.readers, limit)

    try:
        kept.run(check())
    finally:
        embedded.close()


@few(max_examples=6)
@given(histories(most=60), SEEDS)
def test_any_interleaving_and_any_redelivery_ends_in_the_same_rows(
    kept: OnCassandra, community: Community, randomness: random.Random
) -> None:
    in_order = digests(kept, iter([community.records]))
    order = interleaved(community.records, randomness)

    assert digests(kept, batched(order, randomness)) == in_order
    assert digests(kept, batched(redelivered(order, randomness), randomness)) == in_order


@few(max_examples=8)
@given(histories(most=60), SEEDS)
def test_a_process_that_dies_between_effects_and_positions_changes_nothing(
    kept: OnCassandra, community: Community, randomness: random.Random
) -> None:
    once = digests(kept, iter([community.records]))
    derived = told(kept)

    again: list[Derived] = []

    async def dying() -> dict[str, tuple[int, str]]:
        await kept.empty()
        start = 0
        while start < len(community.records):
            # It dies over more than what the next process takes for its first batch.
            for _ in range(randomness.randint(0, 2)):
                await kept.die_over(community.records[start : start + randomness.choice((1, 5, 100))], randomness)
            end = start + randomness.choice((1, 3, 30))
            kept.derived = []
            await kept.apply([community.records[start:end]])
            again.extend(told(kept))
            start = end
        return await kept.digests()

    assert kept.run(dying()) == once
    assert again == derived


@few(max_examples=6)
@given(histories(most=60), SEEDS)
def test_rows_ordered_by_write_timestamps_tolerate_copies_without_newest_ids(
    kept: OnCassandra, community: Community, randomness: random.Random
) -> None:
    async def applied(batches: Iterable[Sequence[Record]]) -> dict[str, tuple[int, str]]:
        await kept.empty()
        for batch in batches:
            # A process of its own for each, which remembers nothing.
            await groups.timelines(kept.session, kept.address.keyspace).apply(
                batch, positions_after(batch, Positions())
            )
        return await kept.digests()

    once = kept.run(applied([community.records]))
    order = redelivered(interleaved(community.records, randomness), randomness)

    assert kept.run(applied(batched(order, randomness))) == once
    assert kept.run(kept.session.read(f"SELECT key FROM {kept.address.keyspace}.newest LIMIT 1")) == []


class Everything(random.Random):
    """Make a process die after all effects of its batch were written."""

    def random(self) -> float:
        """Die."""
        return 0.0


def test_derived_events_of_a_redelivered_event_are_the_same_as_before(kept: OnCassandra) -> None:
    c = Community()
    ada, bob = c.register(), c.register()
    tweet = c.post(ada, 0)
    assert tweet is not None
    c.like(bob, tweet)
    reply = c.post(bob, 4, reply_to=tweet)
    assert reply is not None
    before = len(c.records)
    c.edit(reply, 2)
    c.unlike(bob, tweet)
    c.like(bob, tweet)
    c.delete(reply)
    c.unlike(bob, tweet)
    digests(kept, iter([c.records]))
    derived = told(kept)

    async def dying() -> list[Derived]:
        await kept.empty()
        await kept.apply([c.records[:before]])
        first = told(kept)
        await kept.die_over(c.records[before:], Everything())
        kept.derived = []
        await kept.apply([record] for record in c.records[before:])
        return first + told(kept)

    assert kept.run(dying()) == derived


def test_withdrawn_notifications_expire_and_others_do_not(kept: OnCassandra) -> None:
    c = Community()
    ada, bob = c.register(), c.register()
    tweet = c.post(ada, 0)
    assert tweet is not None
    for _ in range(3):
        c.like(bob, tweet)
        c.unlike(bob, tweet)
    c.like(bob, tweet)
    digests(kept, iter([c.records]))

    table = f"{kept.address.keyspace}.notifications_raised"
    rows = kept.run(kept.session.read(f"SELECT withdrawn, TTL(raised), TTL(withdrawn) FROM {table}"))

    standing = [row for row in rows if row[0] is None]
    withdrawn = [row for row in rows if row[0] is not None]
    assert standing == [(None, None, None)]
    assert len(withdrawn) == 3
    assert all(0 < ttl <= KEPT_S for _, *ttls in withdrawn for ttl in ttls)


def test_an_imported_follow_is_listed_by_its_time(kept: OnCassandra) -> None:
    c = Community()
    ada, *others = (c.register() for _ in range(4))
    for n, other in enumerate(others):
        ago = Millis(c.now - (0, 2000 * HOUR, 1000 * HOUR)[n])
        c.follows[ada, other] = c.tell(AccountFollowed(follower=ada, followee=other), ada, ago)
    models = projected([c.records])
    digests(kept, iter([c.records]))

    listed = kept.run(answers.walk(partial(kept.readers(models.readers).graph.following, ada), 1))

    assert listed == [others[0], others[2], others[1]]
    models.close()


def test_many_hidden_replies_make_pages_short_but_end_no_list(kept: OnCassandra) -> None:
    c = Community()
    ada, bob = c.register(), c.register()
    first, tweet = c.post(bob, 0), c.post(ada, 0)
    for n in range(1100):
        c.post(bob, n, reply_to=tweet)
    models = projected([c.records])
    digests(kept, iter([c.records]))
    timeline = kept.readers(models.readers).user_timelines

    page = kept.run(timeline.without_replies(bob, None, 20))
    assert (page.items, page.next is None) == ([], False)
    rest = kept.run(timeline.without_replies(bob, page.next, 20))
    assert ([item.tweet for item in rest.items], rest.next) == ([first], None)
    assert len(kept.run(timeline.all(bob, None, 2000)).items) == 1101
    models.close()


def test_a_tweet_that_is_unliked_and_liked_again_is_listed_once_by_its_last_like(kept: OnCassandra) -> None:
    c = Community()
    ada, bob = c.register(), c.register()
    tweet, other = c.post(ada, 0), c.post(ada, 1)
    assert tweet is not None
    assert other is not None
    for _ in range(40):
        c.now = Millis(c.now + 20 * HOUR)
        c.like(bob, tweet)
        c.now = Millis(c.now + 20 * HOUR)
        c.like(bob, other)
        c.unlike(bob, tweet)
    c.like(bob, tweet)
    models = projected([c.records])
    digests(kept, batched(c.records, random.Random(3)))
    engagement = kept.readers(models.readers).engagement

    assert kept.run(answers.walk(partial(engagement.likes, bob), 1)) == [tweet, other]
    assert kept.run(answers.walk(partial(engagement.likers, tweet), 1)) == [bob]
    models.close()


def test_a_process_that_dies_while_it_copies_scores_makes_no_difference(kept: OnCassandra) -> None:
    c = Community()
    ada = c.register()
    tweets = [c.post(ada, n) for n in (1, 2, 3, 5)]
    posted = len(c.records)
    for tweet in tweets:
        assert tweet is not None
        c.edit(tweet, 0)
    once = digests(kept, iter([c.records]))

    async def dying(seed: int) -> dict[str, tuple[int, str]]:
        await kept.empty()
        await kept.apply([c.records[:posted]])
        await kept.die_over(c.records[posted:], random.Random(seed))
        await kept.apply([record] for record in c.records[posted:])
        return await kept.digests()

    for seed in range(4):
        assert kept.run(dying(seed)) == once
