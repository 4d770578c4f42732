"""Home timelines on Cassandra keep the contracts of their ports, for fan-out and for feeds."""

from __future__ import annotations

import asyncio
import dataclasses
import random
import time
from collections.abc import AsyncIterator, Collection, Iterator

import pytest

from events.ids import (
    AccountId,
    ActivityId,
    HybridClock,
    Millis,
    TweetId,
    first_id_at,
    timestamp,
    wall_clock,
)
from events.log import TopicPartition
from stores.cassandra.home_facts import CassandraFanOutFacts
from stores.cassandra.home_rows import BUCKET_MS, CassandraHomeTimelineRows
from stores.cassandra.home_timelines import CassandraHomeTimelines
from stores.cassandra.session import CassandraSession
from stores.home_timelines import (
    NEWEST,
    SMALL,
    STALE_MS,
    ActivityFact,
    Delivery,
    Entry,
    FanOutProgress,
    FanOutTier,
    FollowFact,
    Keeping,
)
from stores.sink import StoreUnavailable
from tests.stores.link import Link
from tests.stores.on_cassandra import OnCassandra

pytestmark = pytest.mark.engines

DAY = 24 * 3_600_000
ids = HybridClock()


def account() -> AccountId:
    return AccountId(ids.issue())


def entry(by: AccountId, at: int | None = None, reply_to: AccountId | None = None, retweet: bool = False) -> Entry:
    """Return an activity, of now or of another time."""
    id_ = ids.issue() if at is None else f"{first_id_at(Millis(at))[:24]}{ids.issue()[24:]}"
    tweet = TweetId(ids.issue()) if retweet else TweetId(id_)
    return Entry(ActivityId(id_), tweet, by, reply_to, timestamp(ids.issue()))


async def nobody_counts(accounts: Collection[AccountId]) -> dict[AccountId, int]:
    return {}


@pytest.fixture(scope="module")
def kept(cassandra: str) -> Iterator[OnCassandra]:
    kept = OnCassandra(cassandra, only=("landing", "graph", "home_timelines", "marks"))
    yield kept
    kept.close()


@pytest.fixture
async def session(kept: OnCassandra) -> AsyncIterator[CassandraSession]:
    session = await CassandraSession.connect(kept.address)
    yield session
    await session.close()


@pytest.fixture
def keyspace(kept: OnCassandra) -> str:
    return kept.address.keyspace


@pytest.fixture
def facts(session: CassandraSession, keyspace: str) -> CassandraFanOutFacts:
    return CassandraFanOutFacts(session, keyspace, nobody_counts)


@pytest.fixture
def rows(session: CassandraSession, keyspace: str) -> CassandraHomeTimelineRows:
    return CassandraHomeTimelineRows(session, keyspace)


@pytest.fixture
def timelines(session: CassandraSession, keyspace: str) -> CassandraHomeTimelines:
    return CassandraHomeTimelines(session, keyspace)


async def timeline(timelines: CassandraHomeTimelines, viewer: AccountId, limit: int = 1000) -> list[Entry]:
    """The rows of the last 30 days."""
    oldest = Keeping().oldest_written(wall_clock())
    return (await timelines.read(viewer, (NEWEST, oldest), limit, {}, 1))[0]


# Facts


@pytest.mark.parametrize("newer", ["follow", "unfollow"])
async def test_of_two_events_about_a_follow_the_newer_wins_in_any_order(
    facts: CassandraFanOutFacts, newer: str
) -> None:
    for order in (1, -1):
        a, b = account(), account()
        both = [FollowFact(a, b, newer == "unfollow", 1000), FollowFact(a, b, newer == "follow", 1001)]
        for fact in both[::order]:
            await facts.write([fact], [])
        there = newer == "follow"
        assert await facts.followees([a]) == ({a: [b]} if there else {})
        assert (await facts.followers({b: None}, 10))[b].items == ([a] if there else [])


async def test_a_late_copy_does_not_restore_an_activity_that_was_undone(
    facts: CassandraFanOutFacts, timelines: CassandraHomeTimelines
) -> None:
    here, gone = entry(account(), retweet=True), entry(account(), retweet=True)
    await facts.write([], [ActivityFact(gone, False, gone.written + 1)])
    await facts.write([], [ActivityFact(each, True, each.written) for each in (here, gone)])

    assert await timelines.present([here, gone]) == {here.activity}
    assert await facts.newest({here.by: NEWEST, gone.by: NEWEST}, 10) == {here.by: [here], gone.by: []}


async def test_the_newest_activities_of_many_accounts_reach_back_over_months_from_a_cursor_for_each(
    facts: CassandraFanOutFacts,
) -> None:
    now = wall_clock()
    written: dict[AccountId, list[Entry]] = {}
    for n in range(60):  # more than one request asks for
        by = account()
        replies = account() if n % 2 else None
        days = range(n % 3, 130, 1 + n % 40)
        written[by] = sorted((entry(by, now - day * DAY, replies, n % 5 == 0) for day in days), reverse=True)
    await facts.write([], [ActivityFact(e, True, e.written) for each in written.values() for e in each])
    since = first_id_at(Millis(now - 100 * DAY))
    before = {by: NEWEST if n % 2 else first_id_at(Millis(now - n * DAY)) for n, by in enumerate(written)}

    for limit in (1, 3, 1000):
        found = await facts.newest(before, limit, since)
        for by, entries in written.items():
            assert found[by] == [e for e in entries if since <= e.activity < before[by]][:limit]


async def test_pages_of_followers_keep_their_order_while_followers_come_and_go(
    facts: CassandraFanOutFacts,
) -> None:
    followee, there = account(), {account() for _ in range(20)}
    await facts.write([FollowFact(each, followee, True, 1) for each in there], [])
    page = (await facts.followers({followee: None}, 7))[followee]
    found = list(page.items)
    while page.next is not None:
        await facts.write([FollowFact(account(), followee, True, 1), FollowFact(found[-1], followee, False, 2)], [])
        page = (await facts.followers({followee: page.next}, 7))[followee]
        found += page.items

    assert set(found) >= there
    assert len(found) == len(set(found))


async def test_followers_of_an_account_with_very_many_are_in_many_partitions_and_all_found(
    session: CassandraSession, keyspace: str, facts: CassandraFanOutFacts
) -> None:
    star, quiet = account(), account()
    crowd = [account() for _ in range(300)]

    async def counts(accounts: Collection[AccountId]) -> dict[AccountId, int]:
        return {each: 10 if each == star else 1 for each in accounts}

    spreading = CassandraFanOutFacts(session, keyspace, counts, spread_from=10)
    await spreading.write([FollowFact(each, star, True, 1) for each in crowd[:10]], [])
    await spreading.follower_counts([star, quiet])
    await spreading.write([FollowFact(each, star, True, 1) for each in crowd[10:]], [])
    await spreading.write([FollowFact(each, star, False, 2) for each in (crowd[0], crowd[20])], [])
    await facts.write([FollowFact(crowd[0], quiet, True, 1)], [])

    part = f"SELECT follower FROM {keyspace}.fan_out_followers WHERE followee=? AND part=0"
    assert len(await session.read(part, (bytes.fromhex(star.replace("-", "")),))) == 9
    for limit in (7, 100, 1000):
        pages = await facts.followers({star: None, quiet: None}, limit)
        assert pages[quiet].items == [crowd[0]]
        found, next_ = list(pages[star].items), pages[star].next
        while next_ is not None:
            assert len(found) % limit == 0
            page = (await facts.followers({star: next_}, limit))[star]
            found, next_ = found + list(page.items), page.next
        assert sorted(found) == sorted(set(crowd) - {crowd[0], crowd[20]})


# Rows


async def test_delivered_activities_are_complete_and_in_order_in_each_timeline(
    rows: CassandraHomeTimelineRows, timelines: CassandraHomeTimelines
) -> None:
    now, chance = wall_clock(), random.Random(4)
    viewers = [account() for _ in range(150)]
    entries = [entry(account(), now - n * BUCKET_MS // 3, account() if n % 3 else None, n % 4 == 0) for n in range(40)]
    deliveries = [Delivery(v, e) for e in entries for v in chance.sample(viewers, chance.choice((1, 30, 150)))]
    deliveries += [Delivery(viewers[0], entry(account(), now - 60_000 * n)) for n in range(250)]  # full batches of one
    due: dict[AccountId, list[Entry]] = {viewer: [] for viewer in viewers}
    for viewer, each in deliveries:
        due[viewer].append(each)
    chance.shuffle(deliveries)
    await rows.deliver(deliveries)
    await rows.deliver(deliveries[:100])

    for viewer in viewers:
        expected = sorted(due[viewer], reverse=True)
        assert await timeline(timelines, viewer) == expected
        assert await timeline(timelines, viewer, 5) == expected[:5]
    assert await timeline(timelines, account()) == []


async def test_a_range_of_a_timeline_ends_at_its_bound(
    rows: CassandraHomeTimelineRows, timelines: CassandraHomeTimelines
) -> None:
    now, viewer = wall_clock(), account()
    entries = [entry(account(), now - n * DAY // 2) for n in range(50)]
    await rows.deliver([Delivery(viewer, each) for each in entries])

    below, since = entries[7].activity, entries[41].activity
    found, _ = await timelines.read(viewer, (below, since), 100, {}, 1)
    assert found == entries[8:42]
    found, _ = await timelines.read(viewer, (below, since), 9, {}, 1)
    assert found == entries[8:17]


async def test_of_two_writes_of_a_row_the_newer_event_wins(
    rows: CassandraHomeTimelineRows, timelines: CassandraHomeTimelines
) -> None:
    viewer, old = account(), entry(account())
    new = old._replace(by=account(), written=old.written + 1)
    for order in ([old, new], [new, old]):
        await rows.deliver([Delivery(viewer, order[0])])
        await rows.deliver([Delivery(viewer, order[1])])
        assert await timeline(timelines, viewer) == [new]


async def test_rows_expire_with_their_time_to_live(
    session: CassandraSession, keyspace: str, timelines: CassandraHomeTimelines
) -> None:
    brief = CassandraHomeTimelineRows(session, keyspace, Keeping(kept_ms=1000))
    viewer = account()
    await brief.deliver([Delivery(viewer, entry(account()))])
    deadline = time.monotonic() + 30
    while await timeline(timelines, viewer):
        assert time.monotonic() < deadline
        await asyncio.sleep(0.1)


async def test_a_floor_only_rises_and_counts_once_the_timeline_is_complete(
    rows: CassandraHomeTimelineRows, timelines: CassandraHomeTimelines
) -> None:
    viewer = account()
    low, middle, high = (first_id_at(Millis(wall_clock() - DAY * n)) for n in (3, 2, 1))
    await rows.raise_floors({viewer: middle})
    assert (await timelines.viewing(viewer)).floor is None
    assert await rows.trusted([viewer, account()]) == frozenset()

    await rows.trust({viewer: low})
    assert (await timelines.viewing(viewer)).floor == middle
    assert await rows.trusted([viewer, account()]) == {viewer}

    await rows.raise_floors({viewer: high})
    await rows.trust({viewer: middle})
    assert (await timelines.viewing(viewer)).floor == high


async def test_a_tier_changes_only_if_it_is_as_it_was_read_and_the_store_sets_its_time(
    rows: CassandraHomeTimelineRows,
) -> None:
    author, other = account(), account()
    before = wall_clock()
    assert await rows.move(author, SMALL, FanOutTier.LEAVING)
    after = wall_clock()
    leaving = (await rows.tiers([author, other]))[author]
    assert leaving.kind is FanOutTier.LEAVING
    assert before <= leaving.since <= after
    assert await rows.tiers([other]) == {}

    assert not await rows.move(author, SMALL, FanOutTier.LEAVING)
    assert not await rows.move(author, leaving._replace(since=Millis(1)), FanOutTier.PULLED)
    assert not await rows.move(author, leaving._replace(change=2), FanOutTier.PULLED)
    assert await rows.move(author, leaving, FanOutTier.PUSHED)
    assert not await rows.move(author, leaving, FanOutTier.PULLED)
    back = (await rows.tiers([author]))[author]
    assert (back.kind, back.change) == (FanOutTier.PUSHED, 2)
    assert back.since >= leaving.since


async def test_of_two_concurrent_changes_of_a_tier_one_succeeds(rows: CassandraHomeTimelineRows) -> None:
    author = account()
    moved = await asyncio.gather(*(rows.move(author, SMALL, kind) for kind in (FanOutTier.LEAVING, FanOutTier.PULLED)))

    assert sorted(moved) == [False, True]
    tier = (await rows.tiers([author]))[author]
    assert tier.kind is (FanOutTier.LEAVING if moved[0] else FanOutTier.PULLED)


async def test_progress_is_the_furthest_stored_offset(rows: CassandraHomeTimelineRows) -> None:
    topic = ids.issue()
    first, second = TopicPartition(topic, 0), TopicPartition(topic, 1)
    steps = (
        (FanOutProgress(0, "aa"), FanOutProgress(0, "aa")),
        (FanOutProgress(0), FanOutProgress(0, "aa")),
        (FanOutProgress(5), FanOutProgress(5)),
        (FanOutProgress(5, "ab"), FanOutProgress(5, "ab")),
        (FanOutProgress(5, "aa"), FanOutProgress(5, "ab")),
        (FanOutProgress(5), FanOutProgress(5, "ab")),
        (FanOutProgress(3, "ff"), FanOutProgress(5, "ab")),
        (FanOutProgress(6), FanOutProgress(6)),
    )
    for noted, expected in steps:
        await rows.note({first: noted})
        assert await rows.progress([first, second]) == {first: expected}
    await rows.note({second: FanOutProgress(1)})
    assert await rows.progress([first, second]) == {first: FanOutProgress(6), second: FanOutProgress(1)}


# Reading


async def test_the_pulled_authors_are_read_again_when_they_are_too_old_and_not_before(
    session: CassandraSession, keyspace: str, rows: CassandraHomeTimelineRows
) -> None:
    seconds = 100.0
    timelines = CassandraHomeTimelines(session, keyspace, timer=lambda: seconds)
    author, known = account(), await timelines.pulled()
    await rows.move(author, SMALL, FanOutTier.LEAVING)
    seconds += STALE_MS / 1000 - 0.01
    assert await timelines.pulled() is known

    seconds += 0.01
    assert author in await timelines.pulled()
    await rows.move(author, (await rows.tiers([author]))[author], FanOutTier.PUSHED)
    seconds += STALE_MS / 1000
    assert author not in await timelines.pulled()


async def test_writers_and_readers_get_store_unavailable(kept: OnCassandra) -> None:
    link = Link(*kept.address.hosts[0])
    there = dataclasses.replace(kept.address, hosts=(("127.0.0.1", link.port),))
    session = await CassandraSession.connect(there)
    rows = CassandraHomeTimelineRows(session, there.keyspace)
    timelines = CassandraHomeTimelines(session, there.keyspace)
    viewer, author = account(), account()
    await rows.deliver([Delivery(viewer, entry(author))])
    await rows.move(account(), SMALL, FanOutTier.LEAVING)
    await timelines.viewing(viewer)

    link.cut()
    with pytest.raises(StoreUnavailable):
        await rows.deliver([Delivery(viewer, entry(author)), Delivery(author, entry(author))])
    with pytest.raises(StoreUnavailable):
        await rows.move(author, SMALL, FanOutTier.LEAVING)
    with pytest.raises(StoreUnavailable):
        await timelines.viewing(viewer)
    await session.close()
    link.close()
