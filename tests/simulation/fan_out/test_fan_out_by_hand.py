"""Fan-out and its feed, situation by situation: the ones that a seed meets too seldom, and what things cost."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from typing import Any

import pytest

from events.ids import Millis
from events.log import Positions
from projectors.tiers import FanOutLimits, next_kind
from stores.home_timelines import FanOutTier, Tier
from tests.stores.on_cassandra import OnCassandra

from .bugs import BUGS, RARE
from .places import InMemory, OnTheEngine, Place
from .workers import KEEPING, LIMITS

MINUTE, HOUR = 60_000, 3_600_000
ACCOUNTS = 9


@pytest.fixture(scope="module")
def kept(request: pytest.FixtureRequest) -> Iterator[OnCassandra]:
    kept = OnCassandra(request.getfixturevalue("cassandra"), only=("landing", "graph", "home_timelines"))
    yield kept
    kept.close()


@pytest.fixture(params=["in memory", pytest.param("on Cassandra", marks=pytest.mark.engines)])
def place(request: pytest.FixtureRequest) -> Place:
    if request.param == "in memory":
        return InMemory(ACCOUNTS)
    return OnTheEngine(request.getfixturevalue("kept"), ACCOUNTS)


def popular(place: Place, followers: int) -> Place:
    """Account 0 is followed by so many others; account 1 is the first of them."""
    for follower in range(1, followers + 1):
        place.follow(follower, 0)
    place.commit()
    return place


def test_a_tweet_is_pushed_to_its_author_and_to_whoever_follows(place: Place) -> None:
    popular(place, 2)
    tweet = place.post(0)
    place.commit()

    assert place.rows(0) == place.rows(1) == place.rows(2) == [tweet]
    assert place.rows(3) == []


def test_a_page_with_nothing_to_pull_is_one_range_of_rows_and_no_timeline(place: Place) -> None:
    popular(place, 2)
    tweets = [place.post(0, n) for n in range(10)]
    place.commit()
    place.calls.clear()

    assert place.feed(1) == tweets[::-1]
    assert place.calls["read"] == 1
    # Once the rows end above the page's, whom they are of is asked for what is older.
    assert place.calls["newest"] <= 1


def test_an_author_above_the_limit_is_pulled_and_costs_no_row(place: Place) -> None:
    popular(place, 4)
    assert place.kind(0) is FanOutTier.LEAVING
    during = place.post(0)
    place.commit()
    place.later(2 * MINUTE)
    last = place.post(0)
    place.commit()
    assert place.kind(0) is FanOutTier.PULLED
    after = place.post(0)
    place.commit()

    assert place.rows(1) == [last, during]
    assert place.feed(1) == [after, last, during]


def test_an_author_between_the_limits_goes_the_way_it_went(place: Place) -> None:
    popular(place, 3)
    assert place.kind(0) is FanOutTier.PUSHED

    place.follow(4, 0)
    place.commit()
    place.unfollow(4, 0)
    place.commit()
    assert place.kind(0) is FanOutTier.LEAVING
    place.later(2 * MINUTE)
    place.post(0)
    place.commit()
    assert place.kind(0) is FanOutTier.PULLED


def test_an_author_that_falls_below_is_pushed_at_once_and_relied_on_when_all_else_is_too_old(place: Place) -> None:
    popular(place, 4)
    place.later(2 * MINUTE)
    place.post(0)
    place.commit()
    missed = place.post(0)
    place.commit()
    place.unfollow(4, 0)
    place.unfollow(3, 0)
    place.commit()
    assert place.kind(0) is FanOutTier.JOINING
    pushed = place.post(0)
    place.commit()
    assert place.rows(1)[0] == pushed
    assert missed not in place.rows(1)

    place.later(KEEPING.kept_ms)
    newest = place.post(0)
    place.commit()

    assert place.kind(0) is FanOutTier.PUSHED
    assert place.feed(1)[:3] == [newest, pushed, missed]


@pytest.mark.parametrize(
    ("tier", "followers", "age", "becomes"),
    [
        (FanOutTier.PUSHED, 9_999, 0, FanOutTier.PUSHED),
        (FanOutTier.PUSHED, 10_000, 0, FanOutTier.LEAVING),
        (FanOutTier.LEAVING, 9_000, 59_999, FanOutTier.LEAVING),
        (FanOutTier.LEAVING, 9_000, 60_000, FanOutTier.PULLED),
        (FanOutTier.LEAVING, 8_000, 60_000, FanOutTier.PUSHED),
        (FanOutTier.PULLED, 8_001, HOUR, FanOutTier.PULLED),
        (FanOutTier.PULLED, 8_000, 0, FanOutTier.JOINING),
        (FanOutTier.JOINING, 9_999, KEEPING.kept_ms - 1, FanOutTier.JOINING),
        (FanOutTier.JOINING, 9_999, KEEPING.kept_ms, FanOutTier.PUSHED),
        (FanOutTier.JOINING, 10_000, KEEPING.kept_ms, FanOutTier.PULLED),
    ],
)
def test_tiers_change_at_two_limits_and_after_some_time(
    tier: FanOutTier, followers: int, age: int, becomes: FanOutTier
) -> None:
    assert next_kind(Tier(tier, Millis(1)), followers, Millis(1 + age), FanOutLimits(), KEEPING) is becomes


def test_a_large_fan_out_goes_on_where_it_stopped(place: Place) -> None:
    popular(place, 3)
    place.post(0)
    batch = place.committing()
    place.hold(batch, "followers")
    place.hold(batch, "followers")  # the first page is delivered and noted
    place.drop(batch)
    place.applied = Positions()
    place.calls.clear()
    delivered = [bool(place.rows(n)) for n in (1, 2, 3)]
    assert sorted(delivered) == [False, True, True]

    place.forget_rows()
    place.commit()

    assert [bool(place.rows(n)) for n in (1, 2, 3)] == [not there for there in delivered]


def test_a_lost_store_is_pulled_from_until_it_is_made_again(place: Place) -> None:
    popular(place, 2)
    tweets = [place.post(0, n) for n in range(10)][::-1]
    place.commit()

    place.lose()
    assert place.feed(1) == tweets
    place.run(place.fan_out().backfill([place.accounts[1]]))

    assert place.rows(1) == tweets[: LIMITS.depth]
    assert place.floor(1) == tweets[LIMITS.depth - 1]
    assert place.feed(1) == tweets


def test_pages_go_on_across_the_floor_as_if_it_were_not_there(place: Place) -> None:
    tweets = [place.post(n % 3, n) for n in range(15)][::-1]
    place.commit()
    place.follow(0, 1)
    place.follow(0, 2)
    place.commit()
    floor = place.floor(0)
    assert floor is not None
    assert tweets[-1] < floor < tweets[0]

    for limit in (1, 2, 4, 7):
        found, before = place.page(0, None, limit)
        while before is not None:
            more, before = place.page(0, before, limit)
            found += more
        assert found == tweets


def test_what_is_too_old_to_be_looked_at_is_not_pushed(place: Place) -> None:
    popular(place, 1)
    old = place.community.import_tweet(place.accounts[0], 31)
    place.commit()

    assert place.rows(1) == []
    assert place.feed(1) == [old]


def change_held_up(place: Place) -> list[bool]:
    """A worker is held up with a change of a tier; what was posted meanwhile and after is in a follower's feed."""
    place.follow(4, 0)
    held = place.committing()
    place.hold(held, "move")
    place.later(2 * MINUTE)
    place.run(held)
    place.post(0)
    place.commit()
    tweet = place.post(0)
    place.commit()
    return [tweet in place.feed(1)]


def two_changes(place: Place) -> list[bool]:
    """One worker sees an author leave its followers, and is held up; another sees them come back."""
    place.follow(4, 0)
    place.commit()
    place.unfollow(4, 0)
    place.unfollow(3, 0)
    held = place.committing()
    place.hold(held, "move")
    place.later(2 * MINUTE)
    place.follow(3, 0)
    place.follow(4, 0)
    place.commit()
    assert place.kind(0) is FanOutTier.PULLED
    tweet = place.post(0)
    place.commit()
    place.run(held)
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
    assert SITUATIONS[name](popular(InMemory(ACCOUNTS), 3)) == [True]


@pytest.mark.parametrize("name", sorted(SITUATIONS))
def test_the_bug_that_loses_it_is_noticed(name: str) -> None:
    with BUGS[name]():
        assert SITUATIONS[name](popular(InMemory(ACCOUNTS), 3)) == [False]
