"""Ids ascend even if the clock goes back, and sort alike as text and as bytes."""

import re
import uuid
from itertools import count, pairwise

import pytest
from hypothesis import given
from hypothesis import strategies as st

from events.ids import (
    MAX_DRIFT_MS,
    ClockBehind,
    HybridClock,
    Millis,
    TimeOutOfRange,
    account_number,
    at_time,
    derived_id,
    first_id_at,
    from_bytes,
    id_at,
    is_id,
    millis,
    timestamp,
    to_bytes,
    without_time,
)

NOW = 1_795_176_000_000
TIMES = st.integers(0, (1 << 48) - 1).map(Millis)
IDS = st.builds(id_at, TIMES, st.text())


class Wall:
    """A wall clock whose time a test sets."""

    def __init__(self, now: int = NOW) -> None:
        self.now = now

    def __call__(self) -> Millis:
        return Millis(self.now)


def zeros(n: int) -> bytes:
    """The smallest random bits, so that only clock and counter make ids ascend."""
    return bytes(n)


@given(st.lists(st.integers(-2 * MAX_DRIFT_MS, 2 * MAX_DRIFT_MS), max_size=200))
def test_ids_ascend_however_the_clock_jumps_within_the_drift(jumps: list[int]) -> None:
    wall = Wall()
    ids = HybridClock(wall, zeros)
    issued = [ids.issue()]
    for jump in jumps:
        wall.now = max(wall.now + jump, millis(issued[-1]) - MAX_DRIFT_MS)
        issued.append(ids.issue())
    assert all(earlier < later for earlier, later in pairwise(issued))


@given(st.integers(MAX_DRIFT_MS + 1, NOW))
def test_a_clock_behind_by_more_than_the_drift_is_refused_until_it_is_put_right(behind: int) -> None:
    wall = Wall()
    ids = HybridClock(wall, zeros)
    newest = ids.issue()
    wall.now -= behind
    with pytest.raises(ClockBehind, match="correct the clock") as refused:
        ids.issue()
    assert refused.value.behind_ms == behind
    wall.now = NOW
    assert ids.issue() > newest


def test_a_clock_behind_by_just_the_drift_is_still_used() -> None:
    wall = Wall()
    ids = HybridClock(wall, zeros)
    newest = ids.issue()
    wall.now -= MAX_DRIFT_MS
    assert ids.issue() > newest


@given(st.integers(0, MAX_DRIFT_MS - 1), st.text())
def test_ids_go_on_past_what_the_clock_was_shown(ahead: int, seed: str) -> None:
    shown = id_at(Millis(NOW + ahead), seed)
    ids = HybridClock(Wall(), zeros)
    ids.observe(shown)
    assert timestamp(ids.issue()) > timestamp(shown)


def test_more_ids_in_a_millisecond_than_the_counter_counts_run_into_the_next() -> None:
    ids = HybridClock(Wall(), zeros)
    issued = [ids.issue() for _ in range(5000)]
    assert all(earlier < later for earlier, later in pairwise(issued))
    assert (millis(issued[0]), millis(issued[-1])) == (NOW, NOW + 1)


@given(st.lists(st.booleans(), min_size=2, max_size=60), st.integers(-1000, 1000))
def test_two_clocks_that_show_each_other_their_newest_ids_never_go_back(turns: list[bool], skew: int) -> None:
    clocks = {True: HybridClock(Wall(), zeros), False: HybridClock(Wall(NOW + skew), zeros)}
    newest = ""
    for turn in turns:
        if newest:
            clocks[turn].observe(newest)
        issued = clocks[turn].issue()
        assert issued > newest
        newest = issued


def test_the_same_clock_and_randomness_issue_the_same_ids() -> None:
    def run() -> list[str]:
        numbers = count()
        ids = HybridClock(Wall(), lambda n: bytes(next(numbers) % 256 for _ in range(n)))
        return [ids.issue() for _ in range(200)]

    assert run() == run()


def test_the_random_bits_differ_from_id_to_id() -> None:
    ids = HybridClock(Wall())
    assert len({account_number(ids.issue()) for _ in range(1000)}) == 1000


@given(st.lists(IDS, min_size=2, max_size=20))
def test_ids_sort_alike_as_text_and_as_bytes(ids: list[str]) -> None:
    assert sorted(ids) == [from_bytes(raw) for raw in sorted(to_bytes(id_) for id_ in ids)]


@given(IDS)
def test_an_id_comes_back_from_its_bytes(id_: str) -> None:
    assert from_bytes(to_bytes(id_)) == id_


@given(TIMES, st.text())
def test_an_id_is_a_uuid_of_version_7_that_tells_its_time(time: Millis, seed: str) -> None:
    id_ = id_at(time, seed)
    parsed = uuid.UUID(id_)
    assert (str(parsed), parsed.version, parsed.variant) == (id_, 7, uuid.RFC_4122)
    assert parsed.int >> 80 == millis(id_) == time
    assert is_id(id_)


def test_an_issued_id_is_a_uuid_of_version_7_of_now() -> None:
    parsed = uuid.UUID(HybridClock(Wall()).issue())
    assert (parsed.version, parsed.variant, parsed.int >> 80) == (7, uuid.RFC_4122, NOW)


@given(IDS, IDS)
def test_timestamps_order_ids_as_their_text_does(one: str, other: str) -> None:
    if timestamp(one) != timestamp(other):
        assert (timestamp(one) < timestamp(other)) == (one < other)


@given(st.integers(1, (1 << 48) - 1).map(Millis), st.text())
def test_the_first_id_of_a_millisecond_parts_it_from_the_one_before(time: Millis, seed: str) -> None:
    assert id_at(Millis(time - 1), seed) < first_id_at(time) <= id_at(time, seed)
    assert first_id_at(time).endswith("-7000-8000-000000000000")


@given(TIMES, st.lists(st.text(alphabet="abc"), min_size=1, max_size=3), st.lists(st.text(alphabet="abc"), min_size=1))
def test_the_same_seed_makes_the_same_id_and_another_another(time: Millis, seed: list[str], other: list[str]) -> None:
    assert (id_at(time, *seed) == id_at(time, *other)) == (seed == other)


@given(st.lists(st.integers(0, 2000), min_size=2, max_size=40), st.text())
def test_ids_derived_from_an_entitys_events_keep_their_order(steps: list[int], seed: str) -> None:
    wall = Wall()
    ids = HybridClock(wall)
    sources = []
    for step in steps:
        wall.now += step
        sources.append(ids.issue())
    derived = [derived_id(source, seed) for source in sources]
    assert derived == sorted(derived)
    assert len(set(derived)) == len(set(sources))
    assert [millis(id_) for id_ in derived] == [millis(id_) for id_ in sources]


@given(IDS, TIMES)
def test_an_id_moved_to_another_time_differs_in_its_time_alone(id_: str, time: Millis) -> None:
    moved = at_time(id_, time)
    assert millis(moved) == time
    assert at_time(moved, millis(id_)) == id_
    assert is_id(moved)


@given(IDS)
def test_an_accounts_number_fits_a_signed_64_bit_column(account: str) -> None:
    assert 0 <= account_number(account) < 1 << 62


SHAPE = re.compile(r"[0-9a-f]{8}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{12}", re.ASCII)


@given(IDS.flatmap(lambda id_: st.tuples(st.just(id_), st.integers(0, 35), st.characters())))
def test_a_text_has_the_shape_of_an_id_or_is_refused(change: tuple[str, int, str]) -> None:
    id_, place, character = change
    text = id_[:place] + character + id_[place + 1 :]
    assert is_id(text) == bool(SHAPE.fullmatch(text))


@pytest.mark.parametrize(
    "text",
    ["", "01a1f8d3", "{01a1f8d3-ea00-7776-97e4-73e9e7e0db1}", "01A1F8D3-EA00-7776-97E4-73E9E7E0DB18", "1_" * 18],
)
def test_what_is_no_id_is_refused(text: str) -> None:
    assert not is_id(text)


@pytest.mark.parametrize("time", [-1, -86_400_000, 1 << 48, 1 << 60])
def test_no_id_is_made_of_a_time_that_it_has_no_bits_for(time: int) -> None:
    with pytest.raises(TimeOutOfRange):
        id_at(Millis(time), "seed")
    with pytest.raises(TimeOutOfRange):
        at_time(id_at(Millis(0), "seed"), Millis(time))


@given(st.integers(-(1 << 60), 1 << 60).map(Millis))
def test_a_bound_is_there_for_every_time(time: Millis) -> None:
    bound = first_id_at(time)
    assert is_id(bound)
    assert millis(bound) == min(max(0, time), (1 << 48) - 1)


@given(TIMES, TIMES, st.text(), st.text())
def test_what_an_id_says_besides_its_time_is_its_seeds(one: Millis, other: Millis, seed: str, unlike: str) -> None:
    assert without_time(id_at(one, seed)) == without_time(id_at(other, seed))
    assert (without_time(id_at(one, seed)) == without_time(id_at(one, unlike))) == (seed == unlike)
