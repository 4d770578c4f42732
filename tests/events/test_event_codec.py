"""Events survive encoding and decoding; sealed fields can be read only with the subject's key."""

import json
from types import UnionType
from typing import Annotated, Any, Union, get_args, get_origin, get_type_hints

import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st

from events.accounts import AccountRegistered
from events.codec import Codec, UnknownEvent, UnreadableEvent
from events.engagement import TweetLiked
from events.entities import Entities
from events.event import BY_CLASS, Event
from events.ids import AccountId, TweetId
from events.sealing import KeyUnknown, MasterKeys, SealBroken, Sealer, WrappedKey
from events.tweets import TweetEdited, TweetPosted

MASTERS = MasterKeys({"m": bytes(32)})
ID = "019aa122-be28-7e03-b040-bb864cbba90c"
ADA = AccountId("ada")

# The values that JSON can represent exactly: finite numbers, integers of 64 bits, text without lone surrogates.
st.register_type_strategy(float, st.floats(allow_nan=False, allow_infinity=False))
st.register_type_strategy(int, st.integers(-(1 << 63), (1 << 63) - 1))


def values(hint: Any) -> st.SearchStrategy[Any]:
    """Strategies for the values of a type, within msgspec's bounds, which Hypothesis does not read."""
    if get_origin(hint) is Annotated:
        number, bounds = get_args(hint)
        least, most = bounds.ge, bounds.le
        return (
            st.floats(least, most) if number is float else st.integers(least, (1 << 63) - 1 if most is None else most)
        )
    if get_origin(hint) in (Union, UnionType):
        return st.one_of([values(part) for part in get_args(hint)])
    if get_origin(hint) is tuple:
        return st.lists(values(get_args(hint)[0]), max_size=3).map(tuple)
    if isinstance(hint, type) and issubclass(hint, msgspec.Struct):
        fields = get_type_hints(hint, include_extras=True)
        return st.builds(hint, **{name: values(fields[name]) for name in hint.__struct_fields__})
    return st.from_type(hint)


EVENTS = st.sampled_from(sorted(BY_CLASS, key=lambda cls: cls.__name__)).flatmap(values)


def codec_for(event: Event) -> Codec:
    """Return a codec with the key of the event's subject."""
    codec = Codec(Sealer(MASTERS))
    subject = codec.subject(event)
    if subject is not None:
        codec.sealer.learn({AccountId(subject): MASTERS.wrap(bytes(range(32)))})
    return codec


def decode(codec: Codec, kind: type[Event], value: bytes) -> Event | None:
    registered = BY_CLASS[kind]
    return codec.finish(codec.parse(registered.name, registered.version, value, ID))


@given(EVENTS)
def test_every_event_comes_back_from_its_bytes(event: Event) -> None:
    codec = codec_for(event)
    assert decode(codec, type(event), codec.encode(event, ID)) == event


@given(EVENTS)
def test_the_bytes_are_json_whose_fields_are_the_events_or_the_seal(event: Event) -> None:
    kind = BY_CLASS[type(event)]
    fields = json.loads(codec_for(event).encode(event, ID))
    clear = set(type(event).__struct_fields__) - set(kind.sealed)
    assert fields.keys() == clear | ({"sealed"} if kind.sealed else set())


TWEET = TweetPosted(
    tweet=TweetId("t"), author=ADA, text="meet me at the fountain", entities=Entities(), conversation=TweetId("t")
)


def test_nothing_that_is_sealed_stands_in_the_bytes() -> None:
    assert b"fountain" not in codec_for(TWEET).encode(TWEET, ID)


def test_what_a_seal_holds_wins_over_what_was_slipped_in_beside_it() -> None:
    codec = codec_for(TWEET)
    slipped = json.loads(codec.encode(TWEET, ID)) | {"text": "forged"}
    assert decode(codec, TweetPosted, json.dumps(slipped).encode()) == TWEET


def test_an_event_whose_subject_was_erased_is_nothing() -> None:
    codec = codec_for(TWEET)
    value = codec.encode(TWEET, ID)
    codec.sealer.learn({ADA: WrappedKey("m", None)})
    assert decode(codec, TweetPosted, value) is None


def test_an_event_whose_subjects_key_is_unknown_stops() -> None:
    value = codec_for(TWEET).encode(TWEET, ID)
    with pytest.raises(KeyUnknown):
        decode(Codec(Sealer(MASTERS)), TweetPosted, value)


def test_nothing_is_written_without_its_key() -> None:
    with pytest.raises(KeyUnknown):
        Codec(Sealer(MASTERS)).encode(TWEET, ID)


def test_the_bytes_under_another_events_id_do_not_open() -> None:
    codec = codec_for(TWEET)
    value = codec.encode(TWEET, ID)
    with pytest.raises(SealBroken):
        codec.finish(codec.parse("TweetPosted", 2, value, ID.replace("0", "1")))


def test_whose_key_is_needed_is_known_before_it_is_there() -> None:
    codec = Codec(Sealer(MASTERS))
    parsed = codec.parse("TweetPosted", 2, codec_for(TWEET).encode(TWEET, ID), ID)
    assert (parsed.subject, parsed.whole) == (ADA, None)
    assert codec.subject(TWEET) == ADA
    assert codec.subject(TweetLiked(tweet=TweetId("t"), author=ADA, actor=ADA)) is None


def test_an_event_of_a_newer_software_is_not_guessed_at() -> None:
    codec = Codec(Sealer(MASTERS))
    for name, version in (("TweetTranslated", 1), ("TweetLiked", 2), ("TweetTranslated", -7)):
        with pytest.raises(UnknownEvent, match=f"{name} version {version} .* newer version of minitwitter"):
            codec.parse(name, version, b"{}", ID)


def test_a_version_that_nobody_writes_is_not_said_to_be_newer() -> None:
    for version in (0, -7):
        with pytest.raises(UnreadableEvent, match=f"versions are counted from 1, and this says {version}"):
            Codec(Sealer(MASTERS)).parse("TweetLiked", version, b"{}", ID)


BROKEN: list[tuple[type[Event], Any]] = [
    (TweetLiked, {"tweet": "t", "author": "a"}),
    (TweetLiked, {"tweet": "t", "author": "a", "actor": 7}),
    (TweetLiked, []),
    (TweetPosted, {"tweet": "t", "author": "ada", "conversation": "t"}),
    (TweetPosted, "text"),
    (TweetPosted, {"tweet": "t", "author": "ada", "conversation": "t", "sealed": 7}),
    (TweetEdited, {"tweet": "t", "author": "ada", "version": -7, "text": "", "entities": {}}),
]


@pytest.mark.parametrize(("kind", "content"), BROKEN)
def test_bytes_that_are_not_the_event_are_refused_with_its_name_and_id(kind: type[Event], content: Any) -> None:
    with pytest.raises(UnreadableEvent, match=f"{kind.__name__} {ID}"):
        decode(codec_for(TWEET), kind, msgspec.json.encode(content))


@pytest.mark.parametrize("value", [b"\xff{", b'{"tweet": "\xff"}', b'{"tweet": "\\ud800"}', b'{"a":' + b"[" * 100_000])
def test_bytes_that_are_no_json_are_refused(value: bytes) -> None:
    for kind in (TweetLiked, TweetPosted):
        with pytest.raises(UnreadableEvent):
            decode(codec_for(TWEET), kind, value)


def test_a_field_of_a_later_minor_change_is_passed_over() -> None:
    liked = {"tweet": "t", "author": "a", "actor": "b", "brought_later": 1}
    decoded = decode(codec_for(TWEET), TweetLiked, msgspec.json.encode(liked))
    assert decoded == TweetLiked(tweet=TweetId("t"), author=AccountId("a"), actor=AccountId("b"))


def test_an_account_without_an_address_is_sealed_like_any_other() -> None:
    account = AccountRegistered(account=ADA, username="ada", display_name="Ada", imported=True)
    codec = codec_for(account)
    value = codec.encode(account, ID)
    assert b"email" not in value
    assert decode(codec, AccountRegistered, value) == account
