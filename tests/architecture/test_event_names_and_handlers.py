"""Events are past tense, and none is written that nobody reads, unless it is said why."""

import pytest

import projectors.catalogue
import streams.catalogue
from events.event import BY_NAME, Handles
from projectors.projector import Projector
from schemas.wiring import handlers, producers
from streams.stream import Stream

IRREGULAR = ("Read", "Undone", "Withdrawn")
"""Past participles that do not end in -ed."""

NO_PAST_TENSE = {
    "AccountActive": "a report about a day and not of a moment: on that day the account was active",
}

UNHANDLED = {
    "AccountClaimed": "the account's history; the password is stored in the same transaction, beside the log",
    "PasswordChanged": "the account's history; the hash is stored in the same transaction, beside the log",
    "DeadLetterDiscarded": "a record that a group skips; groups, rebuilds and verify read it (runtime/discards.py)",
    "ReadModelSwitched": "what was served when; the owner of the data reads it to see which switches are recorded",
    "SealedFieldsOpened": "who read personal data, and what for: kept for those who ask",
    "TweetPublished": "the topic is made for readers outside",
    "TweetRetracted": "the topic is made for readers outside",
    "TrendsRanked": "the topic is made for readers outside; our own answers are computed from the buckets",
}
"""Events that are kept for people to read, or for what comes: each with its reason."""

UNPRODUCED: dict[str, str] = {}
"""Events that no code appends: each with its reason."""


@pytest.mark.parametrize(
    ("kind", "listed"),
    [(Projector, projectors.catalogue.ALL), (Stream, streams.catalogue.ALL)],
    ids=["projectors", "streams"],
)
def test_every_processor_is_in_its_catalogue(kind: type[Handles], listed: tuple[type[Handles], ...]) -> None:
    handlers()  # imports them all
    room = kind.__module__.split(".")[0]
    written = {cls for cls in kind.__subclasses__() if cls.__module__.startswith(f"{room}.")}
    assert written == set(listed)


def test_every_event_is_named_in_the_past_tense() -> None:
    assert {name for name in BY_NAME if not name.endswith(("ed", *IRREGULAR))} == set(NO_PAST_TENSE)


def test_every_event_is_handled_or_it_is_said_why_not() -> None:
    assert {event.__name__ for event, found in handlers().items() if not found} == set(UNHANDLED)


def test_every_event_is_appended_by_something_or_it_is_said_why_not() -> None:
    assert {event.__name__ for event, made in producers().items() if not made} == set(UNPRODUCED)
