"""The topic `trends`: each window is ranked when it ends, and again when its counts change later."""

from __future__ import annotations

import asyncio
import random
from collections.abc import Iterator, Sequence
from itertools import pairwise

import pytest
from hypothesis import given
from hypothesis import strategies as st

from events.event import Event
from events.ids import Millis, TweetId, millis
from events.log import Record
from events.trends import Trend, TrendsRanked
from stores.trends import HOUR, WINDOWS, rank
from streams.trends import Trends, name_of, newest_rankings, windows_around, windows_compared
from tests.examples import at_most
from tests.histories import batched, interleaved
from tests.streams.analytics import DAY, HISTORIES, NOW, Analytics, Tweeting


@pytest.fixture
def analytics() -> Iterator[Analytics]:
    analytics = Analytics()
    yield analytics
    analytics.close()


def rankings(analytics: Analytics) -> dict[str, list[str]]:
    """Return the tags of the newest ranking of each window."""
    return {window: [t.tag for t in items] for window, items in newest_rankings(analytics.derived).items()}


def test_an_hour_belongs_to_one_window_of_each_length_and_to_the_past_of_seven_of_each() -> None:
    noon = NOW // HOUR

    assert [name_of(window) for window in windows_around(noon)] == [
        "1h/2026-11-20T13:00:00.000Z",
        "6h/2026-11-20T18:00:00.000Z",
        "24h/2026-11-21T00:00:00.000Z",
    ]
    compared = [name_of(window) for window in windows_compared(noon)]
    assert len(set(compared)) == 21
    assert compared[0] == "1h/2026-11-21T13:00:00.000Z"
    assert compared[-1] == "24h/2026-11-28T00:00:00.000Z"


async def test_a_window_is_ranked_when_something_happens_after_its_end(analytics: Analytics) -> None:
    tweeting = Tweeting()
    for author in ("ada", "bob", "eve"):
        tweeting.post(author, "#Museum")
    await analytics.see(tweeting)
    assert rankings(analytics) == {}

    tweeting.now = Millis(NOW + HOUR)
    tweeting.post("ada", "no tag in this")
    await analytics.see(tweeting)

    assert [(new.event, new.about.time) for new in analytics.of(TrendsRanked)] == [
        (
            TrendsRanked(
                window="1h/2026-11-20T13:00:00.000Z",
                start=NOW,
                end=Millis(NOW + HOUR),
                items=(Trend(tag="museum", count=3, authors=3, expected=1.0, score=1.221),),
            ),
            NOW + HOUR,
        )
    ]

    tweeting.now = Millis(NOW + DAY)
    tweeting.post("ada", "nor in this")
    await analytics.see(tweeting)

    assert rankings(analytics) == {
        "1h/2026-11-20T13:00:00.000Z": ["museum"],
        "6h/2026-11-20T18:00:00.000Z": ["museum"],
        "24h/2026-11-21T00:00:00.000Z": ["museum"],
    }


async def test_a_late_event_revises_its_windows_and_those_that_compare_themselves_with_it(
    analytics: Analytics,
) -> None:
    tweeting = Tweeting()
    tweeting.post("ada", "#museum")
    tweeting.post("bob", "#museum")
    tweeting.now = Millis(NOW + DAY)
    for author in ("ada", "bob", "eve"):
        tweeting.post(author, "#museum")
    tweeting.now = Millis(NOW + 2 * DAY)
    tweeting.post("ada", "later")
    await analytics.see(tweeting)
    next_day = "1h/2026-11-21T13:00:00.000Z"
    before = newest_rankings(analytics.derived)
    assert before[next_day] == (Trend(tag="museum", count=3, authors=3, expected=3.0, score=0.0),)

    tweeting.post("eve", "#Late", at=NOW + 1)
    tweeting.post("zoe", "#museum", at=NOW + 2)
    await analytics.see(tweeting)

    after = newest_rankings(analytics.derived)
    assert [t.tag for t in after["1h/2026-11-20T13:00:00.000Z"]] == ["museum", "late"]
    assert [t.tag for t in after["24h/2026-11-21T00:00:00.000Z"]] == ["museum", "late"]
    # Four are expected on the day after, and there are three: it is no longer a trend.
    assert next_day not in after
    assert analytics.of(TrendsRanked)[-1].event.items == ()  # type: ignore[attr-defined]


async def test_imports_of_another_year_are_ranked_beside_today(analytics: Analytics) -> None:
    tweeting = Tweeting()
    tweeting.post("ada", "#today")
    await analytics.see(tweeting)
    then = NOW - NOW % DAY - 4000 * DAY
    for n in range(100):
        tweeting.post(f"user{n}", f"#then{n}", at=then + n * HOUR // 2)
        if n % 10 == 0:
            await analytics.apply(tweeting.untold())
    await analytics.see(tweeting)

    # 50 hours are 50 windows of an hour, nine of six hours and three days. Each was ranked once, today's never.
    found = rankings(analytics)
    assert len(analytics.of(TrendsRanked)) == len(found) == 50 + 9 + 3
    assert found["1h/2015-12-08T01:00:00.000Z"] == ["then0", "then1"]


async def test_deleted_and_edited_tweets_are_withdrawn_from_windows_that_ended(analytics: Analytics) -> None:
    tweeting = Tweeting()
    deleted, edited = tweeting.post("ada", "#museum"), tweeting.post("bob", "#muesum")
    tweeting.now = Millis(NOW + HOUR)
    tweeting.post("ada", "later")
    await analytics.see(tweeting)
    window = "1h/2026-11-20T13:00:00.000Z"
    assert rankings(analytics)[window] == ["muesum", "museum"]

    tweeting.edit(edited, "#museum")
    await analytics.see(tweeting)
    assert [(t.tag, t.authors) for t in newest_rankings(analytics.derived)[window]] == [("museum", 2)]

    tweeting.delete(deleted)
    tweeting.delete(edited)
    await analytics.see(tweeting)
    assert rankings(analytics) == {}


async def test_what_changes_no_ranking_says_nothing(analytics: Analytics) -> None:
    tweeting = Tweeting()
    plain = tweeting.post("ada", "plain")
    tweeting.post("bob", "#museum")
    tweeting.now = Millis(NOW + HOUR)
    tweeting.post("ada", "later")
    await analytics.see(tweeting)
    said = len(analytics.of(TrendsRanked))

    tweeting.edit(plain, "still plain")
    tweeting.delete(plain)
    await analytics.see(tweeting)

    assert said == 1
    assert len(analytics.of(TrendsRanked)) == said
    assert not await analytics.group.has_due()


async def test_what_was_left_by_the_process_before_is_settled_by_the_next(analytics: Analytics) -> None:
    tweeting = Tweeting()
    tweeting.post("ada", "#museum")
    tweeting.now = Millis(NOW + HOUR)
    tweeting.post("ada", "later")
    await analytics.apply(tweeting.untold())
    assert analytics.of(TrendsRanked) == []

    analytics.restart()
    await analytics.emit_due()

    assert rankings(analytics) == {"1h/2026-11-20T13:00:00.000Z": ["museum"]}


async def derive(batches: Sequence[Sequence[Record]], randomness: random.Random) -> Analytics:
    """Return the events derived from batches, settled between some of them and after the last."""
    analytics = Analytics()
    for batch in batches:
        await analytics.apply(batch)
        for _ in range(randomness.choice((0, 0, 1, 100))):
            await analytics.group.emit_due()
    await analytics.emit_due()
    return analytics


@at_most(60)
@given(HISTORIES, st.integers(0, 2**32).map(random.Random))
def test_the_topic_is_derived_again_the_same_whatever_the_order_and_the_batches(
    tweeting: Tweeting, randomness: random.Random
) -> None:
    records = tweeting.records

    async def runs() -> None:
        first = await derive([records], randomness)
        again = await derive(list(batched(interleaved(records, randomness), randomness)), randomness)
        try:
            assert newest_rankings(again.derived) == newest_rankings(first.derived)
            assert again.digests() == first.digests()
        finally:
            first.close()
            again.close()

    asyncio.run(runs())


@at_most(60)
@given(HISTORIES, st.integers(0, 2**32).map(random.Random))
def test_in_the_end_the_topic_says_what_a_ranking_of_each_ended_window_says(
    tweeting: Tweeting, randomness: random.Random
) -> None:
    async def run() -> None:
        analytics = await derive(list(batched(tweeting.records, randomness)), randomness)
        try:
            newest = max((record.about.time for record in tweeting.records), default=0)
            around = {w for tweet in tweeting.authors for w in windows_around(millis(tweet) // HOUR) if w.end <= newest}
            expected = {}
            for window in around:
                start = Millis(window.end - WINDOWS[window.length])
                ranked = rank(await analytics.trends.numbers(start, window.end))
                if ranked:
                    expected[name_of(window)] = [(r.tag, r.uses, r.authors, r.expected, r.score) for r in ranked]
            said = {
                window: [(t.tag, t.count, t.authors, t.expected, t.score) for t in items]
                for window, items in newest_rankings(analytics.derived).items()
            }
            assert said == expected
        finally:
            analytics.close()

    asyncio.run(run())


@at_most(30)
@given(HISTORIES, st.integers(0, 2**32).map(random.Random))
def test_rankings_of_a_window_have_ascending_ids(tweeting: Tweeting, randomness: random.Random) -> None:
    records = interleaved(tweeting.records, randomness)

    async def run() -> None:
        analytics = await derive(list(batched(records, randomness)), randomness)
        by_window: dict[str, list[str]] = {}
        for new in analytics.of(TrendsRanked):
            by_window.setdefault(new.event.window, []).append(new.about.id)  # type: ignore[attr-defined]
        analytics.close()
        assert all(a < b for ids in by_window.values() for a, b in pairwise(ids))

    asyncio.run(run())


class ClosedByAWatermark(Trends):
    """A planted bug: events of an hour that has ended are dropped as late."""

    async def prepare(self, events: Sequence[Event]) -> None:
        self.reached = await self._windows.reached()

    def _touch(self, tweet: TweetId) -> None:
        if self.reached is None or millis(tweet) // HOUR >= self.reached.time // HOUR:
            super()._touch(tweet)


def test_a_window_closed_by_a_watermark_is_caught() -> None:
    tweeting = Tweeting()
    tweeting.post("ada", "#museum")
    tweeting.now = Millis(NOW + HOUR)
    tweeting.post("bob", "later")
    tweeting.post("eve", "#museum", at=NOW + 1)

    async def said(stream: type[Trends]) -> dict[str, tuple[Trend, ...]]:
        analytics = Analytics()
        analytics.replace(Trends, stream)
        for record in tweeting.records:
            await analytics.apply([record])
            await analytics.emit_due()
        analytics.close()
        return newest_rankings(analytics.derived)

    async def runs() -> None:
        at_once = await derive([tweeting.records], random.Random(1))
        at_once.close()
        assert await said(Trends) == newest_rankings(at_once.derived)
        assert await said(ClosedByAWatermark) != newest_rankings(at_once.derived)

    asyncio.run(runs())
