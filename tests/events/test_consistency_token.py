"""A Consistency-Token holds positions and rows of the outbox apart, and clients' tokens stay readable."""

from hypothesis import given
from hypothesis import strategies as st

from events.consistency_token import ConsistencyToken
from events.log import Positions, TopicPartition

TWEETS, GRAPH = TopicPartition("tweets", 0), TopicPartition("graph", 3)
rows = st.frozensets(st.integers(1, 10**13 - 1), max_size=4)
positions = st.dictionaries(st.sampled_from([TWEETS, GRAPH]), st.integers(1, 10**12)).map(Positions)
tokens = st.builds(ConsistencyToken, positions, rows)


def test_a_token_that_a_client_has_is_read_and_written_as_ever() -> None:
    text = "graph-3:7,outbox-12:1,outbox-4000000000:1,tweets-0:42"
    token = ConsistencyToken.parse(text)
    assert token == ConsistencyToken(Positions({TWEETS: 42, GRAPH: 7}), frozenset({12, 4_000_000_000}))
    assert str(token) == text


@given(tokens)
def test_every_token_is_read_as_it_was_written(token: ConsistencyToken) -> None:
    assert ConsistencyToken.parse(str(token)) == token


@given(tokens, tokens)
def test_a_merged_token_waits_for_the_writes_of_both(one: ConsistencyToken, other: ConsistencyToken) -> None:
    merged = one.merged(other)
    assert merged.positions.covers(one.positions)
    assert merged.positions.covers(other.positions)
    assert merged.rows == one.rows | other.rows


def test_a_row_gives_way_to_its_positions_and_one_without_stays() -> None:
    token = ConsistencyToken(Positions({TWEETS: 5}), frozenset({1, 2}))
    located = token.located({1: Positions({TWEETS: 4, GRAPH: 2}), 3: Positions({TWEETS: 99})})
    assert located == ConsistencyToken(Positions({TWEETS: 5, GRAPH: 2}), frozenset({2}))
