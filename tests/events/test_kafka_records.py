"""A record's headers are CloudEvents attributes, and decoding restores the event and its envelope."""

from pathlib import Path

import pytest
import yaml
from hypothesis import given
from hypothesis import strategies as st

from events.codec import Codec
from events.event import BY_NAME, Envelope
from events.ids import EventId, Millis, id_at
from events.kafka.records import (
    MAX_RECORD_BYTES,
    TOMBSTONES,
    RecordTooLarge,
    check_size,
    headers,
    stored,
    value,
)
from events.partitioning import partition_of
from events.publishing import Outgoing
from events.sealing import MasterKeys, Sealer

ID = EventId(id_at(Millis(1_790_000_000_000), "event"))
ALICE = id_at(Millis(1), "alice")
PARTITIONS = 4
PLACE = partition_of(ALICE, PARTITIONS)
ASYNC_API = Path(__file__).parents[2] / "schemas" / "asyncapi.yaml"


def record(
    content: bytes = b"{}", *, topic: str = "graph", type_: str = "AccountFollowed", **about: object
) -> Outgoing:
    envelope = Envelope(**{"id": ID, "time": Millis(1_424_300_000_123)} | about)  # type: ignore[arg-type]
    return Outgoing(topic, ALICE, type_, 1, content, envelope)


def test_the_attributes_are_those_of_cloud_events() -> None:
    full = record(correlation="request ü", causation="cause", actor=ALICE, traceparent="00-ab-cd-01")
    assert dict(headers(full)) == {
        "content-type": b"application/json",
        "ce_specversion": b"1.0",
        "ce_id": ID.encode(),
        "ce_type": b"AccountFollowed",
        "ce_source": b"/minitwitter",
        "ce_subject": ALICE.encode(),
        "ce_partitionkey": ALICE.encode(),
        "ce_time": b"2015-02-18T22:53:20.123Z",
        "ce_dataschema": b"/schemas/graph/AccountFollowed.v1.json",
        "ce_correlation": "request ü".encode(),
        "ce_causation": b"cause",
        "ce_actor": ALICE.encode(),
        "traceparent": b"00-ab-cd-01",
    }


def test_what_is_empty_has_no_header() -> None:
    named = {name for name, _ in headers(record())}
    assert not named & {"ce_correlation", "ce_causation", "ce_actor", "ce_sourcepositions", "traceparent"}


def test_the_asyncapi_document_describes_every_header() -> None:
    described = yaml.safe_load(ASYNC_API.read_text())["components"]["messageTraits"]["cloudEvent"]["headers"]
    full = record(correlation="a", causation="b", actor="c", traceparent="d", source_positions="tweets-0:7")
    assert {name for name, _ in headers(full)} - {"content-type"} == set(described["properties"])
    assert set(described["required"]) <= {name for name, _ in headers(record())}


text = st.text(max_size=40)


@given(st.integers(0, 4_102_444_800_000), text, text, text, text, text)
def test_everything_known_about_an_event_comes_back(
    time: int, correlation: str, causation: str, actor: str, traceparent: str, source_positions: str
) -> None:
    about = Envelope(ID, Millis(time), correlation, causation, actor, traceparent, source_positions)
    sent = Outgoing("graph", ALICE, "AccountFollowed", 3, b"{}", about)
    back = stored("graph", PLACE, 7, sent.key.encode(), value(sent), headers(sent), PARTITIONS)
    assert back == ("graph", PLACE, 7, ALICE, "AccountFollowed", 3, b"{}", about, "")


def test_a_tombstone_has_no_value_and_is_read_as_the_event_that_it_is() -> None:
    sent = record(b'{"tweet":"..."}', topic="public-tweets", type_="TweetRetracted")
    assert value(sent) is None
    back = stored("public-tweets", 0, 0, sent.key.encode(), None, headers(sent), 1)
    codec = Codec(Sealer(MasterKeys({"test": bytes(32)})))
    event = codec.finish(codec.parse(back.type, back.version, back.value, ID))
    assert event == BY_NAME["TweetRetracted"].cls(tweet=ALICE)


def test_a_tombstone_says_nothing_but_its_key() -> None:
    for name in TOMBSTONES:
        kind = BY_NAME[name]
        assert kind.cls.__struct_fields__ == (kind.key_field,)


def test_a_record_is_refused_where_it_is_larger_than_any_topic_takes() -> None:
    check_size(record(b"x" * (MAX_RECORD_BYTES - 2_000)))
    with pytest.raises(RecordTooLarge, match="AccountFollowed takes 1,000,"):
        check_size(record(b"x" * MAX_RECORD_BYTES))


@pytest.mark.parametrize(
    ("text", "milliseconds"),
    [
        (b"1970-01-01T00:00:00.000Z", 0),
        (b"2015-02-18T22:53:20.123Z", 1_424_300_000_123),
        (b"2015-02-18T23:53:20.123+01:00", 1_424_300_000_123),
        (b"2015-02-18T22:53:20Z", 1_424_300_000_000),
        (b"2015-02-18T22:53:59.999Z", 1_424_300_039_999),
        (b"2015-02-18T22:53:60.000Z", None),
        (b"2015-02-18T24:53:20.123Z", None),
        (b"2015-02-18T22:53:2x.123Z", None),
    ],
)
def test_a_time_is_read_in_any_form_of_rfc_3339(text: bytes, milliseconds: int | None) -> None:
    sent = record()
    changed = [(name, text if name == "ce_time" else content) for name, content in headers(sent)]
    back = stored("graph", PLACE, 17, sent.key.encode(), sent.value, changed, PARTITIONS)
    assert (back.fault, back.about.time) == (
        ("", milliseconds) if milliseconds is not None else ("its ce_time is no time", 0)
    )
