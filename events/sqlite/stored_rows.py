"""The stored form of a record in SQLite: its columns, its checksum, and decoding it."""

from __future__ import annotations

import zlib
from typing import Any

import msgspec

from ..codec import UNREADABLE
from ..event import Envelope
from ..faults import one_line, plain
from ..ids import EventId, Millis, from_bytes
from ..log import DAMAGED, Record, StoredRecord
from ..topics import BY_NUMBER

Row = tuple[int, bytes, str, int, str, int, bytes, bytes, int]
"""position, id, type, version, key, time, headers, value, checksum"""

OFFSET_BITS = 40
OFFSET_MASK = (1 << OFFSET_BITS) - 1
_PRIME = 0xFFFFFFFB  # the largest prime below 2**32: the remainder of a longer number depends on all of its bits


class _Headers(msgspec.Struct, omit_defaults=True, gc=False):
    correlation: str = ""
    causation: str = ""
    actor: str = ""
    traceparent: str = ""
    source_positions: str = ""


_decoder = msgspec.json.Decoder(_Headers)
_encode = msgspec.json.Encoder().encode


def checksum(row: tuple[Any, ...]) -> int:
    """Return the checksum over all columns of a row but the last. 1 us. Raises TypeError, AttributeError for wrong
    types.
    """
    start = (row[0] ^ row[5] << 8) % _PRIME + row[3] & 0xFFFFFFFF
    return zlib.crc32(b"".join((row[6], row[7], row[1], row[2].encode(), row[4].encode())), start)


def encode_headers(about: Envelope) -> bytes:
    """Encode the fields of an envelope that have no column of their own."""
    return _encode(_Headers(about.correlation, about.causation, about.actor, about.traceparent, about.source_positions))


def envelope_of(row: Row) -> Envelope:
    """Return the envelope of a row. Raises msgspec.MsgspecError if the headers are malformed."""
    h = _decoder.decode(row[6])
    return Envelope(
        EventId(from_bytes(row[1])),
        Millis(row[5]),
        h.correlation,
        h.causation,
        h.actor,
        h.traceparent,
        h.source_positions,
    )


def readable_part(row: tuple[Any, ...]) -> tuple[str, str, int, None, Envelope]:
    """Return the fields of an unreadable row that have the right types: key, type, version, no event, envelope."""
    _, id_, type_, version, key, time, *_ = row
    about = Envelope(
        EventId(from_bytes(id_) if isinstance(id_, bytes) and len(id_) == 16 else ""),
        Millis(time if isinstance(time, int) else 0),
    )
    return (
        key if isinstance(key, str) else "",
        type_ if isinstance(type_, str) else "",
        version if isinstance(version, int) else 0,
        None,
        about,
    )


def plain_record(row: Row) -> Record | None:
    """Decode a row of an event without sealed fields; None for any other event, and for a row with any fault."""
    number = row[0]
    topic = BY_NUMBER[number >> 56].name
    try:
        if checksum(row) != row[8]:
            return None
        about = envelope_of(row)
    except UNREADABLE:  # damage has changed the type of a column
        return None
    event = plain(row[2], row[3], row[7], topic, row[4], about)
    if event is None:
        return None
    return Record(topic, number >> OFFSET_BITS & 0xFFFF, number & OFFSET_MASK, row[4], row[2], row[3], event, about)


def stored_record(row: Row) -> StoredRecord:
    """Return a row as a record that is not opened; a damaged one has a `fault`, and the fields that could be read."""
    number = row[0]
    topic, partition, offset = BY_NUMBER[number >> 56].name, number >> OFFSET_BITS & 0xFFFF, number & OFFSET_MASK
    try:
        fault = "" if checksum(row) == row[8] else DAMAGED
        about = None if fault else envelope_of(row)
    except msgspec.MsgspecError as error:
        fault, about = one_line(error), None
    except UNREADABLE:  # damage has changed the type of a column
        fault, about = DAMAGED, None
    if about is None:
        key, type_, version, _, salvaged = readable_part(row)
        value = row[7] if isinstance(row[7], bytes) else b""
        return StoredRecord(topic, partition, offset, key, type_, version, value, salvaged, fault)
    return StoredRecord(topic, partition, offset, row[4], row[2], row[3], row[7], about)
