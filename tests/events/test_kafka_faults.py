"""A record that cannot be read has a fault, and the records around it are unaffected."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from types import MappingProxyType

import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st

from events.codec import Codec
from events.event import Envelope
from events.ids import AccountId, EventId, Millis, id_at
from events.kafka.records import Headers, headers, opened, stored
from events.log import StoredRecord
from events.partitioning import partition_of
from events.publishing import Outgoing
from events.sealing import MasterKeys, Sealer, WrappedKey

ID = EventId(id_at(Millis(1_790_000_000_000), "event"))
ALICE, BOB = AccountId(id_at(Millis(1), "alice")), AccountId(id_at(Millis(2), "bob"))
PARTITIONS = 4
PLACE = partition_of(ALICE, PARTITIONS)
FOLLOW = {"follower": ALICE, "followee": BOB}
ENTITIES: dict[str, list[object]] = {"hashtags": [], "mentions": [], "urls": []}


class Keys:
    """A key store with keys of these subjects."""

    def __init__(self, *subjects: str) -> None:
        masters = MasterKeys.generate()
        self.sealer = Sealer(masters)
        self._keys = {subject: masters.wrap(bytes(32)) for subject in subjects}

    async def fetch(self, subjects: Iterable[str]) -> None:
        self.sealer.learn({AccountId(subject): self._keys[subject] for subject in subjects if subject in self._keys})

    async def create(self, subject: str) -> None:
        raise AssertionError(subject)

    def damage(self, subject: str) -> None:
        """Replace the stored key by one that cannot be unwrapped."""
        kept = self._keys[subject]
        self._keys[subject] = WrappedKey(kept.master, bytes(40))


def outgoing(content: object = FOLLOW, topic: str = "graph", type_: str = "AccountFollowed") -> Outgoing:
    return Outgoing(topic, ALICE, type_, 1, msgspec.json.encode(content), Envelope(ID, Millis(1_790_000_000_000)))


def as_stored(
    sent: Outgoing,
    *,
    without: str = "",
    key: bytes | None = ALICE.encode(),
    replaced: Mapping[str, bytes] = MappingProxyType({}),
) -> StoredRecord:
    kept: Headers = [(name, content) for name, content in headers(sent) if name != without]
    return stored(sent.topic, PLACE, 17, key, sent.value, [*kept, *replaced.items()], PARTITIONS)


async def fault(record: StoredRecord, *subjects: str) -> str:
    """Return the fault of a record that stands between two readable ones."""
    keys = Keys(*subjects)
    good = as_stored(outgoing())
    first, read, last = await opened([good, record, good], Codec(keys.sealer), keys)
    assert first.event is not None
    assert last == first
    assert read.position == record.position
    assert (read.event is None) == bool(read.fault)
    assert "\n" not in read.fault
    return read.fault


@pytest.mark.parametrize("name", ["ce_id", "ce_type", "ce_time", "ce_dataschema"])
async def test_a_record_that_lacks_an_attribute_says_which(name: str) -> None:
    assert await fault(as_stored(outgoing(), without=name)) == f"it has no {name}"


@pytest.mark.parametrize(
    ("name", "content", "complaint"),
    [
        ("ce_id", b"17", "no id"),
        ("ce_time", b"yesterday", "no time"),
        ("ce_time", b"2026-11-20T06:26:36", "no offset"),
        ("ce_time", b"1969-12-31T23:59:59Z", "before 1970"),
        ("ce_dataschema", b"/schemas/graph/AccountFollowed.json", "names no version"),
        ("ce_dataschema", b"/schemas/graph/AccountFollowed.v1", "names no version"),
        ("ce_dataschema", b"/schemas/graph/AccountFollowed.v-7.json", "this says -7"),
        ("ce_dataschema", b"/schemas/graph/AccountFollowed.v0.json", "this says 0"),
        ("ce_dataschema", b"/schemas/graph/AccountFollowed.v9.json", "version 9 is not known"),
        ("ce_dataschema", b"/schemas/graph/AccountFollowed.v" + b"9" * 5000 + b".json", "names no version"),
        ("ce_type", b"AccountVanished", "AccountVanished version 1 is not known"),
        ("ce_type", b"Account\0Followed", "cannot be shown"),
        ("ce_type", b"TweetLiked", "TweetLiked belongs to topic engagement"),
        ("ce_type", b"\xff", "UTF-8"),
        ("ce_actor", b"\xff", "UTF-8"),
    ],
)
async def test_a_record_with_a_broken_attribute_says_how(name: str, content: bytes, complaint: str) -> None:
    assert complaint in await fault(as_stored(outgoing(), replaced={name: content}))


async def test_a_record_with_a_key_that_is_none_has_none() -> None:
    for key in (None, b"\xff", b"a\0b", b"k" * 1000):
        record = as_stored(outgoing(), key=key)
        assert record.key == ""
        assert "key" in await fault(record)


async def test_a_record_without_a_value_says_so() -> None:
    sent = outgoing()
    record = stored("graph", PLACE, 0, ALICE.encode(), None, headers(sent), PARTITIONS)
    assert await fault(record) == "it has no value"


async def test_a_good_event_in_another_partition_than_its_key_s_is_named() -> None:
    sent = outgoing()
    elsewhere = (PLACE + 1) % PARTITIONS
    record = stored("graph", elsewhere, 0, ALICE.encode(), sent.value, headers(sent), PARTITIONS)
    assert await fault(record) == f"its key belongs to partition {PLACE}"


async def test_an_event_under_another_key_than_its_own_is_named() -> None:
    record = as_stored(outgoing({"follower": BOB, "followee": ALICE}))
    assert await fault(record) == "UnreadableEvent: its key is not its follower"


@pytest.mark.parametrize(
    "value",
    [b"{", b"[]", b"null", b"\xff", b'{"follower": 7}', b"[" * 20_000],
    ids=["cut off", "a list", "null", "no UTF-8", "another type", "deep"],
)
async def test_a_value_that_is_no_such_event_is_named(value: bytes) -> None:
    sent = outgoing()
    assert await fault(stored("graph", PLACE, 0, ALICE.encode(), value, headers(sent), PARTITIONS))


@pytest.mark.parametrize("id_", ["xyz", "", ALICE.upper(), f"{ALICE} {ALICE}", "-0000000-0000-8714-ab00-000000000000"])
async def test_an_id_that_is_none_is_named_wherever_it_stands(id_: str) -> None:
    assert "is no id" in await fault(as_stored(outgoing(FOLLOW | {"followee": id_})))
    deleted = {"tweet": BOB, "author": ALICE, "reply_to": {"tweet": id_, "author": ALICE}}
    assert "is no id" in await fault(as_stored(outgoing(deleted, "tweets", "TweetDeleted")))


@pytest.mark.parametrize("version", [-7, 0, 2.5, "2"])
async def test_a_number_that_cannot_be_is_named(version: object) -> None:
    scored = {"tweet": ALICE, "author": BOB, "version": version, "label": "neutral", "score": 0.0}
    assert await fault(as_stored(outgoing(scored, "sentiment", "TweetScored")))


def edited(keys: Keys, id_: str = ID, version: int = 2) -> dict[str, object]:
    plain = msgspec.json.encode({"text": "hello", "entities": ENTITIES})
    sealed = keys.sealer.seal(ALICE, "TweetEdited", id_, plain)
    return {"tweet": BOB, "author": ALICE, "version": version, "sealed": sealed}


async def sealed_fault(content: dict[str, object], keys: Keys) -> str:
    [record] = await opened([as_stored(outgoing(content, "tweets", "TweetEdited"))], Codec(keys.sealer), keys)
    return record.fault


async def test_what_is_sealed_is_checked_when_it_is_opened() -> None:
    keys = Keys(ALICE)
    await keys.fetch([ALICE])
    assert await sealed_fault(edited(keys), keys) == ""
    assert "version" in await sealed_fault(edited(keys, version=-7), keys)
    assert "is no id" in await sealed_fault(edited(keys) | {"tweet": "xyz"}, keys)


async def test_a_seal_under_another_id_than_the_record_s_is_named() -> None:
    keys = Keys(ALICE)
    await keys.fetch([ALICE])
    assert "do not open" in await sealed_fault(edited(keys, id_at(Millis(5), "another")), keys)
    assert await sealed_fault(edited(keys) | {"sealed": 7}, keys)
    assert await sealed_fault(edited(keys) | {"sealed": "no base64"}, keys)


async def test_a_subject_without_a_key_is_named() -> None:
    keys = Keys(ALICE)
    await keys.fetch([ALICE])
    content = edited(keys)
    assert (await sealed_fault(content, Keys())).startswith(f"KeyUnknown: no key for {ALICE}")


async def test_a_stored_key_that_does_not_open_costs_the_others_nothing() -> None:
    keys = Keys(ALICE, BOB)
    await keys.fetch([ALICE])
    good = as_stored(outgoing(edited(keys), "tweets", "TweetEdited"))
    keys.sealer.forget(ALICE)
    keys.damage(BOB)
    other = good._replace(value=msgspec.json.encode(msgspec.json.decode(good.value) | {"author": BOB}))
    read, broken = await opened([good, other], Codec(keys.sealer), keys)
    assert (read.fault, broken.fault.partition(":")[0]) == ("", "SealBroken")


async def test_nobody_is_asked_for_the_key_of_what_is_no_id() -> None:
    """The key store might refuse such a query: PostgreSQL has no character U+0000."""
    keys = Keys(ALICE)
    await keys.fetch([ALICE])
    asked: set[str] = set()

    async def fetch(subjects: Iterable[str]) -> None:
        asked.update(subjects)

    keys.fetch = fetch  # type: ignore[method-assign]
    assert "is no id" in await sealed_fault(edited(keys) | {"author": "a\0b"}, keys)
    assert asked == set()


anything = st.one_of(st.none(), st.binary(max_size=60))


@given(
    anything,
    anything,
    st.dictionaries(st.sampled_from([name for name, _ in headers(outgoing())] + ["x"]), anything, max_size=9),
)
async def test_whatever_stands_in_a_topic_is_answered(
    key: bytes | None, value: bytes | None, given_: dict[str, bytes | None]
) -> None:
    whole = dict(headers(outgoing())) | given_
    record = stored("graph", PLACE, 3, key, value, list(whole.items()), PARTITIONS)
    assert await fault(record)
