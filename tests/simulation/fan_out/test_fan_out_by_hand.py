"""Fan-out and its feed, situation by situation: the ones that a seed meets too seldom, and what things cost."""

from __future__ import annotations

import sys
from collections import Counter
from collections.abc import Callable
from typing import Any

import pytest

from events.ids import Millis, TweetId
from events.log import Positions, Record, positions_after
from projectors.fan_out import FanOut
from projectors.tiers import Limits, next_kind
from stores.home_timelines import Kind, Tier
from stores.hybrid_home_feed import HybridHomeFeed
from tests.community import Community

from .bugs import BUGS, RARE
from .cassandra import MemoryFacts, MemoryHomeTimelines, MemoryReading, Pause
from .community import PartitionedLog
from .definition import told
from .workers import KEEPING, LIMITS, Task, finish
from .world import PLACES

MINUTE, HOUR = 60_000, 3_600_000


class Place:
    """Some accounts, a store and a worker that has landed everything so far."""

    def __init__(self, accounts: int) -> None:
        self.community = Community()
        self.log = PartitionedLog()
        self.paused_at = ""
        self.calls: Counter[str] = Counter()
        self.facts = MemoryFacts(self._pause, lambda: 0)
        self.home = MemoryHomeTimelines(self._pause, lambda: self.community.now, KEEPING)
        self.accounts = [self.community.register() for _ in range(accounts)]
        self._logged = 0
        self.landed = Positions()
        self.land()

    def _pause(self) -> Pause:
        self.paused_at = sys._getframe(1).f_code.co_name
        self.calls[self.paused_at] += 1
        return Pause()

    def fan_out(self) -> FanOut:
        """A worker."""
        return FanOut(self.facts, self.home, lambda: self.community.now, LIMITS, KEEPING)

    def records(self) -> list[Record]:
        """What has not landed."""
        for record in self.community.records[self._logged :]:
            self.log.append(record)
        self._logged = len(self.community.records)
        return [r for r in self.log.everything() if r.offset >= self.landed.get(r.place, 0)]

    def land(self) -> None:
        """Land it."""
        finish(self.landing())

    def landing(self) -> Task:
        """A batch on its way."""
        records = self.records()
        self.landed = positions_after(records, self.landed)

        async def landing() -> None:
            worker = self.fan_out()
            await worker.resume(PLACES)
            await worker.apply(records)

        return landing()

    def hold(self, task: Task, where: str) -> None:
        """Let a batch get as far as a call of a port, and no further."""
        self.paused_at = ""
        while self.paused_at != where:
            task.send(None)

    def later(self, ms: int) -> None:
        """Time passes."""
        self.community.now = Millis(self.community.now + ms)

    def post(self, author: int, n: int = 0) -> TweetId:
        """Somebody posts."""
        tweet = self.community.post(self.accounts[author], n)
        assert tweet is not None
        return tweet

    def follow(self, follower: int, followee: int) -> None:
        """Somebody follows."""
        self.later(1)
        self.community.follow(self.accounts[follower], self.accounts[followee])

    def unfollow(self, follower: int, followee: int) -> None:
        """Somebody follows no longer."""
        self.community.unfollow(self.accounts[follower], self.accounts[followee])

    def feed(self, viewer: int) -> list[TweetId]:
        """A first page, by a reader whose set of pulled authors is as old as it may be."""
        state = told(self.log.everything())
        reading = MemoryReading(self._pause, self.facts, self.home, state.muted_by, lambda sets: sets[0])
        feed = HybridHomeFeed(reading, lambda: self.community.now, KEEPING)
        page = finish(feed.page(self.accounts[viewer], None, 20))
        return [activity.tweet for activity in page.items]

    def rows(self, viewer: int) -> list[TweetId]:
        """What was pushed to somebody."""
        rows = self.home.rows[self.accounts[viewer]]
        return [rows.cells[key].value.tweet for key in reversed(rows.ids(self.community.now))]

    def kind(self, author: int) -> Kind:
        """How an author reaches the feeds."""
        return self.home.tiers_now.get(self.accounts[author], Tier()).kind


def popular(followers: int) -> Place:
    """Account 0 is followed by so many others; account 1 is the first of them."""
    place = Place(9)
    for follower in range(1, followers + 1):
        place.follow(follower, 0)
    place.land()
    return place


def test_a_tweet_is_pushed_to_its_author_and_to_whoever_follows() -> None:
    place = popular(2)
    tweet = place.post(0)
    place.land()

    assert place.rows(0) == place.rows(1) == place.rows(2) == [tweet]
    assert place.rows(3) == []


def test_a_page_with_nothing_to_pull_is_one_range_of_rows_and_no_timeline() -> None:
    place = popular(2)
    tweets = [place.post(0, n) for n in range(10)]
    place.land()
    place.calls.clear()

    assert place.feed(1) == tweets[::-1]
    assert place.calls["read"] == 1
    # Once the rows end above the page's, whom they are of is asked for what is older.
    assert place.calls["newest"] <= 1


def test_an_author_above_the_limit_is_pulled_and_costs_no_row() -> None:
    place = popular(4)
    assert place.kind(0) is Kind.LEAVING
    during = place.post(0)
    place.land()
    place.later(2 * MINUTE)
    last = place.post(0)
    place.land()
    assert place.kind(0) is Kind.PULLED
    after = place.post(0)
    place.land()

    assert place.rows(1) == [last, during]
    assert place.feed(1) == [after, last, during]


def test_an_author_between_the_limits_goes_the_way_it_went() -> None:
    place = popular(3)
    assert place.kind(0) is Kind.PUSHED

    place.follow(4, 0)
    place.land()
    place.unfollow(4, 0)
    place.land()
    assert place.kind(0) is Kind.LEAVING
    place.later(2 * MINUTE)
    place.post(0)
    place.land()
    assert place.kind(0) is Kind.PULLED


def test_an_author_that_falls_below_is_pushed_at_once_and_relied_on_when_all_else_is_too_old() -> None:
    place = popular(4)
    place.later(2 * MINUTE)
    place.post(0)
    place.land()
    missed = place.post(0)
    place.land()
    place.unfollow(4, 0)
    place.unfollow(3, 0)
    place.land()
    assert place.kind(0) is Kind.JOINING
    pushed = place.post(0)
    place.land()
    assert place.rows(1)[0] == pushed
    assert missed not in place.rows(1)

    place.later(KEEPING.kept_ms)
    newest = place.post(0)
    place.land()

    assert place.kind(0) is Kind.PUSHED
    assert place.feed(1)[:3] == [newest, pushed, missed]


@pytest.mark.parametrize(
    ("tier", "followers", "age", "becomes"),
    [
        (Kind.PUSHED, 9_999, 0, Kind.PUSHED),
        (Kind.PUSHED, 10_000, 0, Kind.LEAVING),
        (Kind.LEAVING, 9_000, 59_999, Kind.LEAVING),
        (Kind.LEAVING, 9_000, 60_000, Kind.PULLED),
        (Kind.LEAVING, 8_000, 60_000, Kind.PUSHED),
        (Kind.PULLED, 8_001, HOUR, Kind.PULLED),
        (Kind.PULLED, 8_000, 0, Kind.JOINING),
        (Kind.JOINING, 9_999, KEEPING.kept_ms - 1, Kind.JOINING),
        (Kind.JOINING, 9_999, KEEPING.kept_ms, Kind.PUSHED),
        (Kind.JOINING, 10_000, KEEPING.kept_ms, Kind.PULLED),
    ],
)
def test_tiers_change_at_two_limits_and_after_some_time(tier: Kind, followers: int, age: int, becomes: Kind) -> None:
    assert next_kind(Tier(tier, Millis(1)), followers, Millis(1 + age), Limits(), KEEPING) is becomes


def test_a_large_fan_out_goes_on_where_it_stopped() -> None:
    place = popular(3)
    place.post(0)
    batch = place.landing()
    place.hold(batch, "followers")
    place.hold(batch, "followers")  # the first page is delivered and noted
    batch.close()
    place.landed = Positions()
    place.calls.clear()
    delivered = [bool(place.rows(n)) for n in (1, 2, 3)]
    assert sorted(delivered) == [False, True, True]

    place.home.rows.clear()
    place.land()

    assert [bool(place.rows(n)) for n in (1, 2, 3)] == [not there for there in delivered]


def test_a_lost_store_is_pulled_from_until_it_is_made_again() -> None:
    place = popular(2)
    tweets = [place.post(0, n) for n in range(10)][::-1]
    place.land()

    place.home = MemoryHomeTimelines(place._pause, lambda: place.community.now, KEEPING)
    assert place.feed(1) == tweets
    finish(place.fan_out().backfill([place.accounts[1]]))

    assert place.rows(1) == tweets[: LIMITS.depth]
    assert place.home.floors.get(place.accounts[1]) == tweets[LIMITS.depth - 1]
    assert place.feed(1) == tweets


def test_what_is_too_old_to_be_looked_at_is_not_pushed() -> None:
    place = popular(1)
    old = place.community.import_tweet(place.accounts[0], 31)
    place.land()

    assert place.rows(1) == []
    assert place.feed(1) == [old]


def change_held_up(place: Place) -> list[bool]:
    """A worker is held up with a change of a tier; what was posted meanwhile and after is in a follower's feed."""
    place.follow(4, 0)
    held = place.landing()
    place.hold(held, "move")
    place.later(2 * MINUTE)
    finish(held)
    place.post(0)
    place.land()
    tweet = place.post(0)
    place.land()
    return [tweet in place.feed(1)]


def two_changes(place: Place) -> list[bool]:
    """One worker sees an author leave its followers, and is held up; another sees them come back."""
    place.follow(4, 0)
    place.land()
    place.unfollow(4, 0)
    place.unfollow(3, 0)
    held = place.landing()
    place.hold(held, "move")
    place.later(2 * MINUTE)
    place.follow(3, 0)
    place.follow(4, 0)
    place.land()
    assert place.kind(0) is Kind.PULLED
    tweet = place.post(0)
    place.land()
    finish(held)
    place.later(MINUTE)
    return [tweet in place.feed(1)]


SITUATIONS: dict[str, Callable[[Place], Any]] = {
    "change_of_a_tier_is_dated_by_whoever_decided_it": change_held_up,
    "tier_is_set_whatever_it_is_meanwhile": two_changes,
}


def test_every_rare_bug_has_its_situation() -> None:
    assert SITUATIONS.keys() == RARE


@pytest.mark.parametrize("name", sorted(SITUATIONS))
def test_a_change_that_was_held_up_loses_no_tweet(name: str) -> None:
    assert SITUATIONS[name](popular(3)) == [True]


@pytest.mark.parametrize("name", sorted(SITUATIONS))
def test_the_bug_that_loses_it_is_noticed(name: str) -> None:
    with BUGS[name]():
        assert SITUATIONS[name](popular(3)) == [False]
