"""`@event` registers a class as an event; `@on` marks a method as its handler."""

from collections.abc import Iterator

import pytest

from events.event import BY_CLASS, BY_NAME, Envelope, Event, Handles, event, on
from events.graph import AccountBlocked, AccountFollowed, AccountUnfollowed
from events.ids import AccountId, EventId, Millis

ABOUT = Envelope(id=EventId("id"), time=Millis(0))
ADA, BOB = AccountId("ada"), AccountId("bob")


@pytest.fixture(autouse=True)
def registry_as_it_was() -> Iterator[None]:
    names = dict(BY_NAME)
    yield
    for name in BY_NAME.keys() - names.keys():
        del BY_CLASS[BY_NAME.pop(name).cls]


def test_sealed_fields_without_a_subject_are_refused() -> None:
    with pytest.raises(TypeError, match="needs `subject`"):

        @event(topic="tweets", key="author", sealed=("text",))
        class NoteWritten(Event, frozen=True):
            text: str


def test_two_events_of_one_name_are_refused() -> None:
    with pytest.raises(TypeError, match="two events are called AccountFollowed"):
        event(topic="graph", key="follower")(type("AccountFollowed", (Event,), {}, frozen=True))


def test_an_event_knows_its_entity_and_its_schema() -> None:
    kind = BY_NAME["AccountFollowed"]
    assert kind.key(AccountFollowed(follower=ADA, followee=BOB)) == ADA
    assert kind.schema == "/schemas/graph/AccountFollowed.v1.json"


class Seen(Handles):
    """Notes which of its methods were called."""

    def __init__(self) -> None:
        self.calls: list[str] = []

    @on(AccountFollowed)
    @on(AccountUnfollowed)
    def either(self, event: AccountFollowed | AccountUnfollowed, about: Envelope) -> None:
        self.calls.append(f"either {type(event).__name__}")


class SeenMore(Seen):
    """Handles one more event, and overrides one handler."""

    @on(AccountUnfollowed)
    def unfollowed(self, event: AccountUnfollowed, about: Envelope) -> None:
        self.calls.append("unfollowed")


def calls(handles: Seen) -> list[str]:
    for happened in (
        AccountFollowed(follower=ADA, followee=BOB),
        AccountUnfollowed(follower=ADA, followee=BOB),
        AccountBlocked(blocker=ADA, blocked=BOB),
    ):
        handles.handle(happened, ABOUT)
    return handles.calls


def test_one_method_can_handle_several_events_and_others_are_passed_over() -> None:
    assert calls(Seen()) == ["either AccountFollowed", "either AccountUnfollowed"]


def test_a_subclass_handles_what_its_parent_does_unless_it_says_otherwise() -> None:
    assert calls(SeenMore()) == ["either AccountFollowed", "unfollowed"]


def test_an_event_cannot_be_changed() -> None:
    followed = AccountFollowed(follower=ADA, followee=BOB)
    with pytest.raises(AttributeError, match="immutable"):
        followed.follower = BOB  # type: ignore[misc]
