"""Positions: vectors of offsets, their order, and their text form."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from events.event import Envelope
from events.ids import EventId, Millis
from events.log import Positions, Record, TopicPartition, by_partition, lag, positions_after
from events.topics import TOPICS

PLACES = st.builds(TopicPartition, st.sampled_from(list(TOPICS)), st.integers(0, 15))
POSITIONS = st.dictionaries(PLACES, st.integers(0, 1 << 39)).map(Positions)


def known(positions: Positions) -> dict[TopicPartition, int]:
    """Return the positions without partitions at 0, which are equal to missing ones."""
    return {place: offset for place, offset in positions.items() if offset}


@given(POSITIONS)
def test_positions_come_back_from_their_text(positions: Positions) -> None:
    assert known(Positions.parse(str(positions))) == known(positions)


@given(POSITIONS)
def test_the_same_positions_have_the_same_text(positions: Positions) -> None:
    assert str(Positions(reversed(positions.items()))) == str(positions)


def test_a_topic_with_a_hyphen_is_read_back() -> None:
    assert Positions.parse("public-tweets-3:41") == {TopicPartition("public-tweets", 3): 41}
    assert Positions.parse("") == {}


@pytest.mark.parametrize(
    "text",
    [
        "tweets-0",
        "tweets:4",
        "tweets-0:",
        "tweets-0:x",
        "tweets-x:4",
        "-0:4",
        "tweets-0:-4",
        "tweets-0: 4",
        "tweets-0:1_0",
        "tweets-0:４",
        "tweets-0:99999999999999999999",
    ],
)
def test_a_text_that_is_no_position_is_refused(text: str) -> None:
    with pytest.raises(ValueError, match="looks like tweets-0:42"):
        Positions.parse(text)


@given(POSITIONS, POSITIONS)
def test_merged_positions_are_the_least_that_cover_both(one: Positions, other: Positions) -> None:
    merged = one.merged(other)
    assert merged.covers(one)
    assert merged.covers(other)
    assert all(offset in (one.get(place, 0), other.get(place, 0)) for place, offset in merged.items())
    assert known(merged) == known(other.merged(one))


@given(POSITIONS, POSITIONS)
def test_positions_cover_each_other_only_where_they_are_the_same(one: Positions, other: Positions) -> None:
    assert one.covers(one)
    assert (one.covers(other) and other.covers(one)) == (known(one) == known(other))


@given(POSITIONS, PLACES)
def test_positions_do_not_cover_one_record_more(positions: Positions, place: TopicPartition) -> None:
    further = positions.merged({place: positions.get(place, 0) + 1})
    assert further.covers(positions)
    assert not positions.covers(further)


@given(POSITIONS, POSITIONS)
def test_there_is_no_lag_where_the_ends_are_covered(positions: Positions, ends: Positions) -> None:
    assert (lag(ends, positions) == 0) == positions.covers(ends)
    assert lag(ends, positions.merged(ends)) == 0
    assert lag(ends, {}) == sum(ends.values())


def record(topic: str, partition: int, offset: int) -> Record:
    about = Envelope(id=EventId(""), time=Millis(0))
    return Record(topic, partition, offset, "key", "TweetLiked", 1, None, about)


def test_positions_after_records_are_past_the_last_of_each_partition() -> None:
    records = [record("tweets", 0, 4), record("graph", 1, 0), record("tweets", 0, 5)]
    start = Positions.parse("graph-0:7,tweets-0:4")
    assert str(positions_after(records, start)) == "graph-0:7,graph-1:1,tweets-0:6"


def test_records_by_partition_keep_their_order() -> None:
    records = [record("tweets", 0, 4), record("graph", 1, 0), record("tweets", 0, 5)]
    grouped = {str(place): [r.offset for r in run] for place, run in by_partition(records).items()}
    assert grouped == {"tweets-0": [4, 5], "graph-1": [0]}
