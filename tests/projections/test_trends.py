"""Trends: tags that more people use than usual, computed from rows when they are read."""

from __future__ import annotations

import asyncio
import random
import re
from collections.abc import Iterator

import pytest
from hypothesis import given
from hypothesis import strategies as st

from events.entities import fold_tag
from events.ids import Millis, millis
from stores.sqlite import trends as sqlite_trends
from stores.trends import DAYS_BEFORE, HOUR, RankedTag, TagNumbers, TooMuch, WindowNumbers, rank, surprise
from tests.examples import at_most
from tests.histories import batched, interleaved
from tests.streams.analytics import (
    DAY,
    HISTORIES,
    NOW,
    REAL_TWEETS,
    Analytics,
    Tweeting,
    import_real,
    moment,
    real_rows,
)


@pytest.fixture
def analytics() -> Iterator[Analytics]:
    analytics = Analytics()
    yield analytics
    analytics.close()


async def ranked(analytics: Analytics, start: int, end: int) -> list[RankedTag]:
    return rank(await analytics.trends.numbers(Millis(start), Millis(end)))


# The formula


def test_a_tag_as_strong_as_expected_is_no_surprise() -> None:
    assert surprise(7.0, 7.0) == 0.0
    assert surprise(7.0, 3.0) > surprise(5.0, 3.0) > 0.0


def test_the_same_ratio_is_a_greater_surprise_among_many_and_a_few_per_cent_are_none() -> None:
    assert surprise(40.0, 20.0) > surprise(4.0, 2.0)
    assert surprise(14_000.0, 13_300.0) < surprise(2.0, 1.0)


def test_authors_count_more_than_repeats_and_repeats_more_than_nothing() -> None:
    tags = [
        TagNumbers("two authors", uses=2, authors=2, repeaters=0, author_hours=2, before=0),
        TagNumbers("one author often", uses=50, authors=1, repeaters=1, author_hours=20, before=0),
        TagNumbers("one author", uses=1, authors=1, repeaters=0, author_hours=1, before=0),
    ]

    assert [r.tag for r in rank(WindowNumbers(tags, 0))] == ["two authors", "one author often", "one author"]


def test_a_tag_that_is_always_used_as_much_is_no_trend() -> None:
    tags = [
        TagNumbers("always", uses=10, authors=10, repeaters=0, author_hours=10, before=70),
        TagNumbers("new", uses=3, authors=3, repeaters=0, author_hours=3, before=0),
        TagNumbers("twice as much", uses=20, authors=20, repeaters=0, author_hours=20, before=70),
    ]

    found = rank(WindowNumbers(tags, 7))

    assert [(r.tag, r.expected) for r in found] == [("twice as much", 11.0), ("new", 1.0)]


def test_regulars_who_come_back_each_hour_are_expected_to_do_so_again() -> None:
    # Ten people, each in ten hours of a day, on each day: the usual number is ten, not a hundred.
    usual = TagNumbers("regulars", uses=100, authors=10, repeaters=10, author_hours=100, before=700)
    crowd = usual._replace(tag="crowd", uses=300, authors=30, repeaters=30, author_hours=300)

    found = rank(WindowNumbers([usual, crowd], 7))

    assert [(r.tag, r.expected) for r in found] == [("crowd", 16.0)]


def test_days_on_which_nobody_used_any_tag_do_not_lower_what_is_expected() -> None:
    tag = TagNumbers("young", uses=4, authors=4, repeaters=0, author_hours=4, before=8)

    assert [r.expected for r in rank(WindowNumbers([tag], 4))] == [3.0]
    assert rank(WindowNumbers([tag], 2)) == []


# The rows


async def test_a_tag_counts_once_a_tweet_however_it_is_written(analytics: Analytics) -> None:
    tweeting = Tweeting()
    tweeting.post("ada", "#Straße #STRASSE")
    tweeting.post("bob", "#strasse")
    await analytics.see(tweeting)

    numbers = await analytics.trends.numbers(NOW, Millis(NOW + 1))

    assert numbers == WindowNumbers([TagNumbers("strasse", 2, 2, 0, 2, 0)], 0)


async def test_a_window_ends_before_its_end_at_any_moment(analytics: Analytics) -> None:
    tweeting = Tweeting()
    for ms in range(5):
        tweeting.post("ada", f"#t{ms}", at=NOW + ms)
    await analytics.see(tweeting)

    assert {r.tag for r in await ranked(analytics, NOW + 1, NOW + 3)} == {"t1", "t2"}


async def test_what_is_usual_is_what_was_in_the_same_hours_of_seven_days(analytics: Analytics) -> None:
    tweeting = Tweeting()
    inside = [(day, hour) for day in (1, 2, 7) for hour in (0, 5)]
    outside = [(day, hour) for day in (1, 2, 7) for hour in (-1, 6)] + [(8, 0), (8, 5)]
    for day, hour in [(0, 0), *inside, *outside]:
        tweeting.post("ada", "#museum", at=NOW - day * DAY + hour * HOUR)
        tweeting.post("ada", "#museum", at=NOW - day * DAY + hour * HOUR + 1)
    await analytics.see(tweeting)

    numbers = await analytics.trends.numbers(NOW, Millis(NOW + 6 * HOUR))

    assert numbers == WindowNumbers([TagNumbers("museum", 2, 1, 1, 1, before=len(inside))], days=3)


async def test_a_late_tweet_counts_where_its_own_time_puts_it(analytics: Analytics) -> None:
    tweeting = Tweeting()
    tweeting.post("ada", "#museum", at=NOW)
    tweeting.now = Millis(NOW + 30 * DAY)
    tweeting.post("bob", "#else")
    await analytics.see(tweeting)
    tweeting.post("eve", "#museum", at=NOW + 1)
    await analytics.see(tweeting)

    assert [(r.tag, r.authors) for r in await ranked(analytics, NOW, NOW + HOUR)] == [("museum", 2)]


async def test_imports_and_today_stand_side_by_side(analytics: Analytics) -> None:
    tweeting = Tweeting()
    long_ago = NOW - 4000 * DAY
    for author in ("ada", "bob"):
        tweeting.post(author, "#now")
        tweeting.post(author, "#then", at=long_ago)
    await analytics.see(tweeting)

    assert [r.tag for r in await ranked(analytics, NOW - DAY, NOW + 1)] == ["now"]
    assert [r.tag for r in await ranked(analytics, long_ago - DAY, long_ago + 1)] == ["then"]


async def test_a_deleted_tweet_was_never_counted(analytics: Analytics) -> None:
    tweeting = Tweeting()
    tweeting.post("ada", "#museum")
    await analytics.see(tweeting)
    before = analytics.views.digest("trends")

    deleted = tweeting.post("bob", "#museum #other")
    tweeting.post("bob", "#museum")
    tweeting.delete(deleted)
    await analytics.see(tweeting)

    assert [(r.tag, r.uses, r.authors) for r in await ranked(analytics, NOW, NOW + HOUR)] == [("museum", 2, 2)]
    assert analytics.views.digest("trends") != before


async def test_an_edited_tweet_counts_with_its_new_tags_at_its_own_time(analytics: Analytics) -> None:
    tweeting = Tweeting()
    tweet = tweeting.post("ada", "#muesum #today")
    tweeting.now = Millis(NOW + DAY)
    tweeting.edit(tweet, "#museum #today")
    await analytics.see(tweeting)

    assert {r.tag for r in await ranked(analytics, NOW, NOW + HOUR)} == {"museum", "today"}
    assert await ranked(analytics, NOW + HOUR, NOW + 2 * DAY) == []


async def test_as_of_is_when_the_newest_was_recorded_not_when_it_happened(analytics: Analytics) -> None:
    tweeting = Tweeting()
    assert await analytics.trends.as_of() is None

    tweeting.post("ada", "#then", at=NOW - 4000 * DAY)
    await analytics.see(tweeting)
    assert await analytics.trends.as_of() == NOW

    tweeting.now = Millis(NOW + 5000)
    tweeting.post("ada", "no tag")
    await analytics.see(tweeting)
    assert await analytics.trends.as_of() == NOW + 5000


async def test_a_tag_is_shown_as_it_is_mostly_written_with_a_tweet_of_the_window(analytics: Analytics) -> None:
    tweeting = Tweeting()
    tweeting.post("ada", "#destinationdragons", at=NOW)
    tweeting.post("bob", "#DestinationDragons", at=NOW + 1)
    newest = tweeting.post("eve", "#DestinationDragons", at=NOW + HOUR)
    tweeting.post("eve", "#DESTINATIONDRAGONS", at=NOW + 2 * HOUR)
    await analytics.see(tweeting)

    shown = await analytics.trends.shown(["destinationdragons", "nothing"], NOW, Millis(NOW + 2 * HOUR))

    assert shown == {"destinationdragons": ("DestinationDragons", newest)}


async def test_the_history_of_a_tag_counts_each_author_once_a_step(analytics: Analytics) -> None:
    tweeting = Tweeting()
    midnight = NOW - NOW % DAY
    for author, hour in (("ada", 0), ("ada", 1), ("bob", 1), ("bob", 7), ("ada", 25)):
        tweeting.post(author, "#museum", at=midnight + hour * HOUR)
    await analytics.see(tweeting)

    by_hour = await analytics.trends.history("museum", Millis(midnight), Millis(midnight + 3 * HOUR), HOUR)
    by_day = await analytics.trends.history("museum", Millis(midnight - DAY), Millis(midnight + 2 * DAY), DAY)

    assert [(u.start - midnight, u.uses, u.authors) for u in by_hour] == [(0, 1, 1), (HOUR, 2, 2), (2 * HOUR, 0, 0)]
    assert [(u.uses, u.authors) for u in by_day] == [(0, 0), (4, 2), (1, 1)]


async def test_a_history_of_too_many_uses_is_refused(analytics: Analytics, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(sqlite_trends, "MOST_ADDED_UP", 3)
    tweeting = Tweeting()
    for n in range(4):
        tweeting.post("ada", "#museum", at=NOW + n * HOUR)
    await analytics.see(tweeting)

    assert len(await analytics.trends.history("museum", NOW, Millis(NOW + 3 * HOUR), HOUR)) == 3
    with pytest.raises(TooMuch):
        await analytics.trends.history("museum", NOW, Millis(NOW + 4 * HOUR), HOUR)


# The laws


def counted(tweeting: Tweeting, start: int, end: int) -> WindowNumbers:
    """Return the result of `numbers` for these counts."""
    uses = [
        (tag, tweeting.authors[tweet], millis(tweet))
        for tweet, entities in tweeting.alive.items()
        for tag in {fold_tag(hashtag.tag) for hashtag in entities.hashtags}
    ]
    first, hours = (start + HOUR // 2) // HOUR, (end - start) // HOUR
    past = {first + hour - 24 * day: day for hour in range(hours) for day in range(1, DAYS_BEFORE + 1)}
    numbers = []
    for tag in {tag for tag, _, time in uses if start <= time < end}:
        inside = [(author, time // HOUR) for t, author, time in uses if t == tag and start <= time < end]
        authors = [author for author, _ in inside]
        repeaters = {author for author in authors if authors.count(author) > 1}
        before = {(author, time // HOUR) for t, author, time in uses if t == tag and time // HOUR in past}
        numbers.append(TagNumbers(tag, len(inside), len(set(authors)), len(repeaters), len(set(inside)), len(before)))
    return WindowNumbers(sorted(numbers), len({past[time // HOUR] for _, _, time in uses if time // HOUR in past}))


@at_most(100)
@given(HISTORIES, st.integers(-2, 30), st.sampled_from((1, 6, 24)), st.integers(0, 2**32).map(random.Random))
def test_numbers_are_those_of_the_tweets_that_there_are(
    tweeting: Tweeting, ago: int, hours: int, randomness: random.Random
) -> None:
    end = tweeting.now + 1 - ago * HOUR + randomness.choice((0, HOUR // 3, HOUR // 2))

    async def run() -> None:
        analytics = Analytics()
        for batch in batched(interleaved(tweeting.records, randomness), randomness):
            await analytics.apply(batch)
        tags, days = await analytics.trends.numbers(Millis(end - hours * HOUR), Millis(end))
        analytics.close()
        assert WindowNumbers(sorted(tags), days) == counted(tweeting, end - hours * HOUR, end)

    asyncio.run(run())


def test_every_query_is_a_search_in_an_index(analytics: Analytics) -> None:
    names = analytics.views.names()
    connection = analytics.views.connection
    counts = sqlite_trends.WindowCounts(connection, names)
    rows = sqlite_trends.SqliteTrendRows(connection, names)
    reads = sqlite_trends.SqliteTrends(connection, names)
    statements = [
        sql
        for part in (counts, rows, reads)
        for name, sql in vars(part).items()
        if isinstance(sql, str) and name not in ("_as_of", "_use", "_reach")
    ]
    assert len(statements) == 10
    for sql in statements:
        explained = connection.execute(f"EXPLAIN QUERY PLAN {re.sub(r'[?][0-9]*', '1', sql)}")
        plan = [str(row[3]) for row in explained]
        tables = [step for step in plan if names["tag_uses"] in step or names["tag_hours"] in step]
        assert tables, sql
        assert all(step.startswith("SEARCH") for step in tables), plan


# The real tweets


@pytest.mark.real_data
@pytest.mark.skipif(not REAL_TWEETS.exists(), reason="the real tweets are not beside the project")
async def test_destination_dragons_is_a_trend_of_the_days_on_which_it_was_one(analytics: Analytics) -> None:
    tweeting = Tweeting()
    import_real(tweeting, real_rows())
    await analytics.apply(tweeting.untold())

    for day, authors in (("2015-02-19", 15), ("2015-02-20", 19)):
        end = moment(f"{day}T23:59:00Z")
        found = await ranked(analytics, end - DAY, end)
        assert ("destinationdragons", authors) in [(r.tag, r.authors) for r in found[:3]]
        shown = await analytics.trends.shown([found[0].tag], Millis(end - DAY), end)
        assert shown["destinationdragons"].written == "DestinationDragons"
