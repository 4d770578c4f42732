"""The table of topics fits the numbers that the log stores."""

import events.codec  # noqa: F401  # it imports every module of events, which fills the registry
from events.event import BY_CLASS
from events.topics import BY_NUMBER, DERIVED, LOGGED, TOPICS


def test_no_two_topics_share_a_number() -> None:
    assert len(BY_NUMBER) == len(TOPICS)


def test_every_number_fits_a_position() -> None:
    """A position is `number << 56 | ...` in a signed 64-bit integer."""
    assert all(0 < topic.number < 128 for topic in TOPICS.values())


def test_every_topic_is_either_logged_or_derived() -> None:
    assert sorted(LOGGED + DERIVED) == sorted(TOPICS)


def test_every_topic_has_events_and_every_event_a_topic() -> None:
    assert {kind.topic for kind in BY_CLASS.values()} == set(TOPICS)
