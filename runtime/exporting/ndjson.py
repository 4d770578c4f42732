"""Exported events as NDJSON with zstd: CloudEvents 1.0 in the JSON format, one a line."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import msgspec
import pyarrow as pa

from events.ids import millis
from events.log import StoredRecord
from rest.times import rfc3339

SUFFIX = "ndjson.zst"
SOURCE = "/minitwitter"
_encode = msgspec.json.Encoder().encode
_valid = msgspec.json.Decoder(msgspec.Raw).decode


def write(topic: str, records: Sequence[StoredRecord], about: dict[str, str], *, unsealed: bool) -> bytes:
    """Return the content of a file. `about` is not in it: the format has no place for metadata."""
    sink = pa.BufferOutputStream()
    with pa.CompressedOutputStream(sink, "zstd") as out:
        out.write(b"".join(_encode(_cloud_event(record)) + b"\n" for record in records))
    content: bytes = sink.getvalue().to_pybytes()
    return content


def _cloud_event(record: StoredRecord) -> dict[str, Any]:
    """Return a line: the value as it is stored, or in base64 if it is no JSON."""
    about = record.about
    line: dict[str, Any] = {
        "specversion": "1.0",
        "id": about.id,
        "source": SOURCE,
        "type": record.type,
        "subject": record.key,
        "partitionkey": record.key,
        "time": rfc3339(about.time),
        "recorded": rfc3339(millis(about.id)) if about.id else None,
        "dataschema": f"/schemas/{record.topic}/{record.type}.v{record.version}.json",
        "position": record.position,
    }
    for name in ("correlation", "causation", "actor", "traceparent"):
        if attribute := getattr(about, name):
            line[name] = attribute
    if about.source_positions:
        line["sourcepositions"] = about.source_positions
    if record.fault:
        line["fault"] = record.fault
    try:
        line["data"] = _valid(record.value) if record.value else None
    except msgspec.MsgspecError:
        line["data_base64"] = record.value
    return line
