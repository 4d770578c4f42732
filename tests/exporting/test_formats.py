"""What an exported file has: every event as typed columns and as it is stored, and every fault beside them."""

from __future__ import annotations

import io
import json
from typing import Any

import msgspec
import pyarrow as pa
import pyarrow.parquet
import pytest

from events.event import BY_NAME, Envelope, EventType
from events.ids import EventId, Millis, millis
from events.log import Record, StoredRecord
from runtime.exporting import ndjson, parquet
from runtime.exporting.rows import date_of, day_number, opened_rows
from schemas.examples import codec, examples

ABOUT = Envelope(EventId("01990000-0000-7000-8000-000000000000"), Millis(1_424_188_800_000))


def stored(kind: EventType, offset: int = 0, **changed: Any) -> StoredRecord:
    """Return the example of an event as a log stores it."""
    new = examples()[kind.name]
    value = codec().encode(new.event, new.about.id)
    record = StoredRecord(kind.topic, 0, offset, kind.key(new.event), kind.name, kind.version, value, new.about)
    return record._replace(**changed)


def read(content: bytes) -> list[dict[str, Any]]:
    rows: list[dict[str, Any]] = pyarrow.parquet.read_table(io.BytesIO(content)).to_pylist()
    return rows


@pytest.mark.parametrize("name", sorted(BY_NAME))
def test_an_event_has_its_payload_in_typed_columns_and_its_value_as_stored(name: str) -> None:
    kind = BY_NAME[name]
    record = stored(kind, 7)
    [row] = read(parquet.write(kind.topic, [record], {}, unsealed=False))
    assert row["value"] == record.value
    assert row[name] == json.loads(record.value)
    assert (row["partition"], row["offset"], row["type"], row["version"]) == (0, 7, name, kind.version)
    assert (row["id"], row["key"], row["actor"]) == (record.about.id, record.key, record.about.actor)
    assert row["time"].timestamp() * 1000 == record.about.time
    assert row["recorded"].timestamp() * 1000 == millis(record.about.id)
    others = {other.name for other in BY_NAME.values() if other.topic == kind.topic} - {name}
    assert {row[other] for other in others} <= {None}


@pytest.mark.parametrize("name", sorted(name for name, kind in BY_NAME.items() if kind.sealed))
def test_sealed_fields_are_one_opaque_column_unless_they_are_opened(name: str) -> None:
    kind, new = BY_NAME[name], examples()[name]
    [row] = read(parquet.write(kind.topic, [stored(kind)], {}, unsealed=False))
    assert row[name].keys() & set(kind.sealed) == set()
    assert isinstance(row[name]["sealed"], str)
    record = Record(kind.topic, 0, 0, kind.key(new.event), name, kind.version, new.event, new.about)
    rows = opened_rows([record])
    [opened] = read(parquet.write(kind.topic, rows, {}, unsealed=True))
    assert opened[name] == json.loads(opened["value"]) == json.loads(msgspec.json.encode(new.event))


def test_an_older_version_is_shown_as_the_current_one_and_kept_as_it_was_written() -> None:
    kind = BY_NAME["ProfileChanged"]
    account = examples()["ProfileChanged"].about.actor
    old = {
        "account": account,
        "profile": {"display_name": "A", "bio": "", "location": "", "website": "", "feed": "top"},
    }
    value = json.dumps(old, indent=1).encode()
    [row] = read(parquet.write("accounts", [stored(kind, value=value, version=1)], {}, unsealed=False))
    assert (row["version"], row["value"]) == (1, value)
    assert row["ProfileChanged"] == {"account": account, "profile": {**old["profile"], "avatar": None, "header": None}}  # type: ignore[dict-item]


@pytest.mark.parametrize(
    "value", [b"", b"{", b"[]", b"7", b'{"follower": 1}', b'{"follower":"a",\n"followee":"b"}\n{}', b"\xff", b"{}{}"]
)
def test_a_value_that_is_no_payload_is_kept_and_spoils_no_other(value: bytes) -> None:
    kind = BY_NAME["AccountFollowed"]
    whole = [stored(kind, 0), stored(kind, 1, value=value), stored(kind, 2)]
    first, second, third = read(parquet.write("graph", whole, {}, unsealed=False))
    assert first["AccountFollowed"] == third["AccountFollowed"] == json.loads(whole[0].value)
    assert (second["value"], second["offset"]) == (value, 1)


def test_a_record_that_cannot_be_read_is_exported_with_its_fault() -> None:
    kind = BY_NAME["AccountFollowed"]
    damaged = stored(kind, type="AccountTeleported", fault="its checksum differs: the row is damaged", about=ABOUT)
    [row] = read(parquet.write("graph", [damaged], {}, unsealed=False))
    assert (row["fault"], row["value"], row["type"]) == (damaged.fault, damaged.value, "AccountTeleported")
    without_id = damaged._replace(about=Envelope(EventId(""), Millis(0)))
    [row] = read(parquet.write("graph", [without_id], {}, unsealed=False))
    assert (row["id"], row["recorded"]) == ("", None)


def test_a_file_says_what_it_has() -> None:
    kind = BY_NAME["AccountFollowed"]
    content = parquet.write("graph", [stored(kind)], {"topic": "graph", "to": "graph-0:1"}, unsealed=False)
    metadata = pyarrow.parquet.read_metadata(io.BytesIO(content)).metadata
    assert metadata[b"minitwitter.topic"] == b"graph"
    assert metadata[b"minitwitter.to"] == b"graph-0:1"


@pytest.mark.parametrize("name", sorted(BY_NAME))
def test_a_line_is_the_cloud_event_of_a_record(name: str) -> None:
    kind = BY_NAME[name]
    record = stored(kind, 7)
    [line] = lines(ndjson.write(kind.topic, [record], {}, unsealed=False))
    assert line["data"] == json.loads(record.value)
    assert (line["id"], line["type"], line["subject"]) == (record.about.id, name, record.key)
    assert (line["position"], line["dataschema"]) == (f"{kind.topic}-0@7", kind.schema)


def test_a_line_of_a_value_that_is_no_json_has_it_in_base64() -> None:
    kind = BY_NAME["AccountFollowed"]
    broken, erased = stored(kind, value=b"\xff{", fault="damaged"), stored(kind, value=b"")
    first, second = lines(ndjson.write("graph", [broken, erased], {}, unsealed=False))
    assert (first["data_base64"], first["fault"]) == ("/3s=", "damaged")
    assert second["data"] is None


def lines(content: bytes) -> list[dict[str, Any]]:
    text = pa.CompressedInputStream(pa.BufferReader(content), "zstd").read()
    return [json.loads(line) for line in text.splitlines()]


@pytest.mark.parametrize(
    ("time", "date"),
    [(0, "1970-01-01"), (86_399_999, "1970-01-01"), (86_400_000, "1970-01-02"), (1_424_158_565_000, "2015-02-17")],
)
def test_the_day_of_an_event_is_that_of_its_time_in_utc(time: int, date: str) -> None:
    record = stored(BY_NAME["AccountFollowed"], about=Envelope(ABOUT.id, Millis(time)))
    assert date_of(day_number(record)) == date
