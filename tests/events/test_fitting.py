"""A log fits a store's marks, or the reason why it does not is found."""

from events.event import Envelope
from events.fitting import Mark, conflict, last_ids
from events.ids import EventId, Millis, first_id_at
from events.log import Positions, Record, TopicPartition

TWEETS, GRAPH = TopicPartition("tweets", 0), TopicPartition("graph", 3)
ONE, TWO = (first_id_at(Millis(n)) for n in (1, 2))


def test_a_log_that_goes_on_where_it_was_read_fits() -> None:
    assert conflict({TWEETS: Mark(7, ONE)}, Positions({TWEETS: 9}), {TWEETS: ONE}) == ""


def test_a_log_that_ends_before_does_not_fit() -> None:
    said = conflict({TWEETS: Mark(7, ONE)}, Positions({TWEETS: 6}), {})
    assert said == "tweets-0 ends at 6 in the log, and was read up to 7"


def test_an_empty_log_does_not_fit_what_was_read() -> None:
    assert "ends at 0" in conflict({TWEETS: Mark(7)}, Positions(), {})


def test_another_event_before_the_position_is_another_log() -> None:
    said = conflict({TWEETS: Mark(7, ONE)}, Positions({TWEETS: 9}), {TWEETS: TWO})
    assert said == f"tweets-0@6 is event {TWO} in the log, and was {ONE} when it was read"


def test_one_partition_that_does_not_fit_is_enough() -> None:
    marks = {TWEETS: Mark(7, ONE), GRAPH: Mark(3, TWO)}
    assert conflict(marks, Positions({TWEETS: 7, GRAPH: 3}), {TWEETS: ONE, GRAPH: ONE}).startswith("graph-3@2")


def test_a_position_that_was_passed_over_is_held_to_the_end_only() -> None:
    assert conflict({TWEETS: Mark(7)}, Positions({TWEETS: 7}), {TWEETS: TWO}) == ""
    assert conflict({TWEETS: Mark(7)}, Positions({TWEETS: 5}), {}) != ""


def test_nothing_read_fits_every_log() -> None:
    assert conflict({}, Positions(), {}) == ""
    assert conflict({TWEETS: Mark(0)}, Positions(), {}) == ""


def stands(offset: int, id_: str) -> Record:
    return Record("tweets", 0, offset, "alice", "TweetPosted", 1, None, Envelope(id=EventId(id_), time=Millis(0)))


def test_only_the_event_just_before_a_position_tells_its_log() -> None:
    records = [stands(5, ONE), stands(6, TWO)]
    assert last_ids(records, {TWEETS: 7}) == {TWEETS: TWO}
    assert last_ids(records[:1], {TWEETS: 7}) == {}, "what was set aside is not among the records"
