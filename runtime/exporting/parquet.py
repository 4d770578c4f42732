"""Exported events as Parquet: the envelope and the payload as typed columns, and the stored value beside them.

The payload has a struct column for each event type of the topic, null for the other types, so `TweetPosted.text` is a
column for every tool that reads Parquet. Arrow parses the stored JSON of a whole batch at once, without objects of
Python. `value` is what the log stores, byte for byte: an import needs nothing else.
"""

from __future__ import annotations

import types
import typing
from collections.abc import Iterable, Mapping, Sequence
from typing import Any

import msgspec
import pyarrow as pa
import pyarrow.json
import pyarrow.parquet

from events.codec import UNREADABLE
from events.event import BY_NAME, EventType
from events.ids import millis
from events.log import StoredRecord
from events.upcasters import UPCASTERS

SUFFIX = "parquet"
_encode = msgspec.json.Encoder().encode
_fields = msgspec.json.Decoder(dict[str, Any]).decode
_SCALARS: Mapping[Any, pa.DataType] = {str: pa.string(), int: pa.int64(), float: pa.float64(), bool: pa.bool_()}
_MOMENT = pa.timestamp("ms", "UTC")
_NAME = pa.dictionary(pa.int32(), pa.string())

ENVELOPE = pa.schema(
    [
        pa.field("partition", pa.int32(), nullable=False),
        pa.field("offset", pa.int64(), nullable=False),
        pa.field("id", pa.string(), nullable=False),
        pa.field("type", _NAME, nullable=False),
        pa.field("version", pa.int32(), nullable=False),
        pa.field("key", pa.string(), nullable=False),
        pa.field("time", _MOMENT, nullable=False),
        pa.field("recorded", _MOMENT),
        pa.field("correlation", pa.string(), nullable=False),
        pa.field("causation", pa.string(), nullable=False),
        pa.field("actor", pa.string(), nullable=False),
        pa.field("traceparent", pa.string(), nullable=False),
        pa.field("source_positions", pa.string(), nullable=False),
        pa.field("fault", pa.string(), nullable=False),
        pa.field("value", pa.binary(), nullable=False),
    ]
)
"""The columns of every file, before those of the payload."""


def write(topic: str, records: Sequence[StoredRecord], about: Mapping[str, str], *, unsealed: bool) -> bytes:
    """Return the content of a file with these records of a topic, and `about` as its metadata."""
    table = as_table(topic, records, unsealed=unsealed)
    table = table.replace_schema_metadata({f"minitwitter.{name}": text for name, text in about.items()})
    sink = pa.BufferOutputStream()
    pyarrow.parquet.write_table(table, sink, compression="zstd")
    content: bytes = sink.getvalue().to_pybytes()
    return content


def as_table(topic: str, records: Sequence[StoredRecord], *, unsealed: bool) -> pa.Table:
    """Return the records as a table."""
    columns = _envelope(records)
    by_type: dict[str, list[int]] = {}
    for n, record in enumerate(records):
        if record.value and not record.fault:
            by_type.setdefault(record.type, []).append(n)
    payloads = {kind.name: _payload(kind, records, by_type.get(kind.name, []), unsealed) for kind in _kinds(topic)}
    schema = pa.schema([*ENVELOPE, *(pa.field(name, column.type) for name, column in payloads.items())])
    return pa.Table.from_arrays([*columns, *payloads.values()], schema=schema)


def _envelope(records: Sequence[StoredRecord]) -> list[pa.Array]:
    rows = [
        (
            r.partition,
            r.offset,
            r.about.id,
            r.type,
            r.version,
            r.key,
            r.about.time,
            millis(r.about.id) if r.about.id else None,
            r.about.correlation,
            r.about.causation,
            r.about.actor,
            r.about.traceparent,
            r.about.source_positions,
            r.fault,
            r.value,
        )
        for r in records
    ]
    columns = zip(*rows, strict=True) if rows else [()] * len(ENVELOPE)
    return [
        pa.array(column, pa.string()).dictionary_encode() if field.type == _NAME else pa.array(column, field.type)
        for field, column in zip(ENVELOPE, columns, strict=True)
    ]


def _kinds(topic: str) -> list[EventType]:
    return [kind for kind in BY_NAME.values() if kind.topic == topic]


def _payload(kind: EventType, records: Sequence[StoredRecord], places: list[int], unsealed: bool) -> pa.StructArray:
    """Return the struct column of an event type: the payloads at `places`, null elsewhere."""
    fields = payload_fields(kind, unsealed)
    column = _parsed([_current(kind, records[n]) for n in places], fields)
    taken: list[int | None] = [None] * len(records)
    for at, place in enumerate(places):
        taken[place] = at
    return column.take(pa.array(taken, pa.int64()))


def _current(kind: EventType, record: StoredRecord) -> bytes:
    """Return the JSON of a payload in one line and in its current version; nothing if it is no payload.

    Sealed fields of an older version stay as they are: their upcasters need them open.
    """
    value = record.value
    if record.version >= kind.version and b"\n" not in value:
        return value
    try:
        fields = _fields(value)
        for version in range(record.version, kind.version) if "sealed" not in fields else ():
            fields = UPCASTERS[kind.name, version](fields)
        return _encode(fields)
    except UNREADABLE:
        return b""


def _parsed(values: Sequence[bytes], fields: Sequence[pa.Field]) -> pa.StructArray:
    """Parse JSON objects to a column. An object that does not have these types, or is none, becomes null."""
    if not values:
        return pa.array([], pa.struct(fields))
    try:
        return _parsed_at_once(values, fields)
    except pa.ArrowInvalid:
        if len(values) == 1:
            return pa.array([None], pa.struct(fields))
        half = len(values) // 2  # to find what other software wrote: each bad value costs some 16 more parses
        return pa.concat_arrays([_parsed(values[:half], fields), _parsed(values[half:], fields)])


def _parsed_at_once(values: Sequence[bytes], fields: Sequence[pa.Field]) -> pa.StructArray:
    text = b"\n".join(values)
    table = pyarrow.json.read_json(
        pa.BufferReader(text),
        read_options=pyarrow.json.ReadOptions(block_size=max(1 << 20, max(map(len, values)) + 1)),
        parse_options=pyarrow.json.ParseOptions(explicit_schema=pa.schema(fields), unexpected_field_behavior="ignore"),
    ).combine_chunks()
    if table.num_rows != len(values):
        raise pa.ArrowInvalid("a payload is no JSON object in one line")
    return pa.StructArray.from_arrays(
        [table.column(field.name).combine_chunks() for field in fields], fields=list(fields)
    )


def payload_fields(kind: EventType, unsealed: bool) -> list[pa.Field]:
    """Return the fields of an event type. Sealed ones are one field `sealed`, unless they are opened."""
    hidden = () if unsealed else kind.sealed
    hints = _hints(kind.cls)
    fields = [pa.field(name, _arrow(hints[name])) for name in kind.cls.__struct_fields__ if name not in hidden]
    return [*fields, pa.field("sealed", pa.string())] if hidden else fields


def _hints(cls: type[Any]) -> dict[str, Any]:
    return typing.get_type_hints(cls)


def _arrow(hint: Any) -> pa.DataType:
    """Return the Arrow type of a field's type."""
    while hasattr(hint, "__supertype__"):  # a NewType, such as an id
        hint = hint.__supertype__
    if hint in _SCALARS:
        return _SCALARS[hint]
    origin, arguments = typing.get_origin(hint), typing.get_args(hint)
    if origin in (typing.Union, types.UnionType):
        (one,) = (each for each in arguments if each is not type(None))
        return _arrow(one)
    if origin is tuple:
        return pa.list_(_arrow(arguments[0]))
    if origin is typing.Literal:
        return pa.string()
    if isinstance(hint, type) and issubclass(hint, msgspec.Struct):
        return pa.struct([pa.field(name, _arrow(of)) for name, of in _struct(hint)])
    raise TypeError(f"an exported event has a field of type {hint}, which has no Arrow type yet")


def _struct(cls: type[Any]) -> Iterable[tuple[str, Any]]:
    hints = _hints(cls)
    return ((name, hints[name]) for name in cls.__struct_fields__)
