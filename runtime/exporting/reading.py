"""Read exported files back: the position, the metadata and the stored value of each event."""

from __future__ import annotations

import io
from collections.abc import Iterator
from typing import Any, NamedTuple

import msgspec
import pyarrow as pa
import pyarrow.parquet

from events.log import TopicPartition, parse_place

from .manifest import Format

_COLUMNS = ["partition", "offset", "id", "value"]


class ExportedRow(NamedTuple):
    """An event of an export: its position, its id and its value as it was stored."""

    place: TopicPartition
    offset: int
    id: str
    value: bytes


class _Line(msgspec.Struct):
    position: str
    id: str = ""
    data: msgspec.Raw = msgspec.Raw(b"null")
    data_base64: bytes | None = None


_decode = msgspec.json.Decoder(_Line).decode


def rows_of(content: bytes, form: Format, topic: str) -> Iterator[ExportedRow]:
    """Yield the events of a file. Raises pyarrow.ArrowException, msgspec.MsgspecError if it is damaged."""
    if form == "parquet":
        table = pyarrow.parquet.read_table(io.BytesIO(content), columns=_COLUMNS)
        columns: list[Any] = [table.column(name).to_pylist() for name in _COLUMNS]
        for partition, offset, id_, value in zip(*columns, strict=True):
            yield ExportedRow(TopicPartition(topic, partition), offset, id_, value)
        return
    for text in pa.CompressedInputStream(pa.BufferReader(content), "zstd").read().splitlines():
        line = _decode(text)
        place, offset = parse_place(line.position)
        value = line.data_base64
        if value is None:
            value = b"" if bytes(line.data) == b"null" else bytes(line.data)
        yield ExportedRow(place, offset, line.id, value)
