"""Values that classes do not check: an event with such a value cannot be applied."""

from typing import Any

import msgspec
import pytest
from msgspec import structs

from events.entities import Entities, Mention
from events.event import BY_CLASS, Event
from events.graph import AccountFollowed
from events.ids import is_id
from events.log import New
from events.publishing import outgoing
from events.validity import InvalidEvent, check, flaw
from schemas.examples import codec, examples

EXAMPLES = examples()
BAD = "-0000000-0000-8714-b7c3-0242ac120002"


def found(event: Event, new: New, **about: Any) -> str:
    kind = BY_CLASS[type(new.event)]
    return flaw(kind.topic, kind.key(new.event), event, structs.replace(new.about, **about))


@pytest.mark.parametrize("new", EXAMPLES.values(), ids=EXAMPLES)
def test_what_the_schemas_show_has_no_flaw(new: New) -> None:
    assert found(new.event, new) == ""


@pytest.mark.parametrize("new", EXAMPLES.values(), ids=EXAMPLES)
def test_whichever_id_of_an_event_is_none_is_found(new: New) -> None:
    plain = msgspec.to_builtins(new.event)
    for broken in _with_a_bad_id(plain):
        assert f"{BAD!r} is no id" in found(msgspec.convert(broken, type(new.event)), new)


def _with_a_bad_id(value: Any) -> list[Any]:
    """Yield copies of a JSON value, each with one id replaced by text that is not an id."""
    if isinstance(value, dict):
        return [{**value, name: broken} for name, part in value.items() for broken in _with_a_bad_id(part)]
    if isinstance(value, list):
        return [
            [*value[:n], broken, *value[n + 1 :]] for n, part in enumerate(value) for broken in _with_a_bad_id(part)
        ]
    return [BAD] if isinstance(value, str) and is_id(value) else []


def test_the_one_mentioned_is_an_account_or_nobody() -> None:
    new = EXAMPLES["TweetPosted"]
    nobody, nowhere = (Entities(mentions=(Mention("eve", 0, 4, account),)) for account in (None, "eve"))
    assert found(structs.replace(new.event, entities=nobody), new) == ""
    assert "'eve' is no id" in found(structs.replace(new.event, entities=nowhere), new)


def test_two_ids_in_one_field_are_no_id() -> None:
    new = EXAMPLES["AccountFollowed"]
    assert isinstance(new.event, AccountFollowed)
    follower, followee = new.event.follower, new.event.followee
    for first, second in ((f"{follower} {followee}", ""), (follower[:-1], followee + "0"), (follower + " ", followee)):
        assert "is no id" in found(structs.replace(new.event, follower=first, followee=second), new)


def test_key_topic_and_time_have_to_fit() -> None:
    new = EXAMPLES["TweetLiked"]
    assert flaw("graph", "x", new.event, new.about) == "TweetLiked belongs to topic engagement"
    assert flaw("engagement", "x", new.event, new.about) == "its key is not its actor"
    for time in (-1, 1 << 47):
        assert found(new.event, new, time=time) == f"its time {time} is out of range"


@pytest.mark.parametrize("name", ["AccountFollowed", "TweetPosted", "AccountRegistered"])
def test_nothing_is_published_that_no_reader_could_apply(name: str) -> None:
    new = EXAMPLES[name]
    check(new.event, new.about)
    early, nameless = structs.replace(new.about, time=-1), structs.replace(new.about, id=BAD)
    for about in (early, nameless):
        with pytest.raises(InvalidEvent, match=f"{name} is not appended"):
            outgoing(New(new.event, about), codec())
    for broken in _with_a_bad_id(msgspec.to_builtins(new.event)):
        with pytest.raises(InvalidEvent, match="is no id"):
            outgoing(New(msgspec.convert(broken, type(new.event)), new.about), codec())
