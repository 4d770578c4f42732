"""Events are past tense, and none is written that nobody reads, unless it is said why."""

from events.event import BY_NAME
from schemas.wiring import handlers, producers

IRREGULAR = ("Read", "Undone", "Withdrawn")
"""Past participles that do not end in -ed."""

NO_PAST_TENSE = {
    "AccountActive": "a report about a day and not of a moment: on that day the account was active",
}

UNHANDLED: dict[str, str] = {}
"""Events that are kept for people to read, or for what comes: each with its reason."""

UNPRODUCED: dict[str, str] = {}
"""Events that no code appends: each with its reason."""


def test_every_event_is_named_in_the_past_tense() -> None:
    assert {name for name in BY_NAME if not name.endswith(("ed", *IRREGULAR))} == set(NO_PAST_TENSE)


def test_every_event_is_handled_or_it_is_said_why_not() -> None:
    assert {event.__name__ for event, found in handlers().items() if not found} == set(UNHANDLED)


def test_every_event_is_appended_by_something_or_it_is_said_why_not() -> None:
    assert {event.__name__ for event, made in producers().items() if not made} == set(UNPRODUCED)
