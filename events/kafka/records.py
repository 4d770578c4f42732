"""Events as Kafka records: CloudEvents 1.0 in binary mode, the envelope in the headers, the event's JSON as the value.

So that `kcat` and any other consumer can read it without us. (CloudEvents 1.0.2, Kafka Protocol Binding, 3.2; the
attributes are those of schemas/asyncapi.yaml.) Making the headers takes 4 us a record, reading them 4 us.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from datetime import UTC, datetime, timedelta
from functools import lru_cache
from typing import NamedTuple

import msgspec

from ..codec import Codec
from ..event import BY_NAME, Envelope
from ..ids import EventId, Millis, is_id
from ..keys import Keys
from ..log import CorruptLog, Record
from ..publishing import Outgoing

SOURCE = "/minitwitter"
"""`ce_source`: which installation it comes from."""
MAX_RECORD_BYTES = 1_000_000
"""A record that is larger is never taken. Topics are made to take this, and 48 KB more for what Kafka puts around."""
TOMBSTONES = frozenset({"TweetRetracted"})
"""Events without a value: in a compacted topic that is what removes the key's earlier records."""

Headers = list[tuple[str, bytes | None]]

_FRAMING = 200
"""Bytes of a record batch besides keys, values and headers: 61 of the batch, at most 25 of the record, and room."""
_EACH_HEADER = 8
_EPOCH = datetime(1970, 1, 1, tzinfo=UTC)
_FIXED: Headers = [("ce_specversion", b"1.0"), ("content-type", b"application/json")]


class RecordTooLarge(Exception):
    """An event that no topic takes: it has to be refused before it is decided."""

    def __init__(self, record: Outgoing, size: int) -> None:
        super().__init__(f"{record.type} takes {size:,} bytes in the log, and {MAX_RECORD_BYTES:,} are the most")
        self.size = size


class Stored(NamedTuple):
    """A record as it stands in Kafka, its headers read, its value not."""

    topic: str
    partition: int
    offset: int
    key: str
    type: str
    version: int
    value: bytes
    about: Envelope


def headers(record: Outgoing, source: str = SOURCE) -> Headers:
    """The headers of a record; what is empty is left out."""
    about = record.about
    key = record.key.encode()
    made: Headers = [
        *_FIXED,
        ("ce_id", about.id.encode()),
        ("ce_type", record.type.encode()),
        ("ce_source", source.encode()),
        ("ce_subject", key),
        ("ce_partitionkey", key),
        ("ce_time", _time(about.time)),
        ("ce_dataschema", _schema(record.topic, record.type, record.version)),
    ]
    if about.correlation:
        made.append(("ce_correlation", about.correlation.encode()))
    if about.causation:
        made.append(("ce_causation", about.causation.encode()))
    if about.actor:
        made.append(("ce_actor", about.actor.encode()))
    if about.source_positions:
        made.append(("ce_sourcepositions", about.source_positions.encode()))
    if about.traceparent:
        made.append(("traceparent", about.traceparent.encode()))
    return made


def value(record: Outgoing) -> bytes | None:
    """The value of a record; None where it is a tombstone."""
    return None if record.type in TOMBSTONES else record.value


def check_size(record: Outgoing) -> None:
    """Raise RecordTooLarge for a record that Kafka could never take; to be asked before it is decided."""
    if len(record.value) < MAX_RECORD_BYTES // 2:  # nearly all: the headers are bounded by what the edge accepts
        return
    rest = sum(len(name) + len(text or b"") + _EACH_HEADER for name, text in headers(record))
    size = len(record.value) + len(record.key.encode()) + rest + _FRAMING
    if size > MAX_RECORD_BYTES:
        raise RecordTooLarge(record, size)


def stored(
    topic: str,
    partition: int,
    offset: int,
    key: bytes | None,
    value: bytes | None,
    headers: Iterable[tuple[str, bytes | None]],
) -> Stored:
    """Read a record's headers, whatever client it came by. Raises CorruptLog where it is none of ours."""
    given = {name: content or b"" for name, content in headers}
    optional = given.get
    try:
        id_ = given["ce_id"].decode()
        type_ = given["ce_type"].decode()
        if key is None or not is_id(id_):
            raise ValueError("it has no key" if key is None else "its ce_id is no id")
        about = Envelope(
            EventId(id_),
            _millis(given["ce_time"].decode()),
            optional("ce_correlation", b"").decode(),
            optional("ce_causation", b"").decode(),
            optional("ce_actor", b"").decode(),
            optional("traceparent", b"").decode(),
            optional("ce_sourcepositions", b"").decode(),
        )
        text = key.decode()
        version = _version(given["ce_dataschema"])
        content = value if value is not None else _of_tombstone(type_, text)
    except (KeyError, ValueError) as error:
        why = f"it has no {error.args[0]}" if isinstance(error, KeyError) else str(error)
        raise CorruptLog(
            f"{topic}-{partition}@{offset} is not a record that minitwitter wrote ({why}); find out who else writes to"
            " its topics, and take that right away"
        ) from error
    return Stored(topic, partition, offset, text, type_, version, content, about)


async def opened(records: Sequence[Stored], codec: Codec, keys: Keys) -> list[Record]:
    """The records with their events, keys fetched for all at once.

    Raises UnknownEvent, UnreadableEvent, KeyUnknown, SealBroken, KeysUnavailable.
    """
    parsed = [codec.parse(record.type, record.version, record.value, record.about.id) for record in records]
    await shown({entry.subject for entry in parsed if entry.subject is not None}, keys)
    finished = [
        Record(
            record.topic,
            record.partition,
            record.offset,
            record.key,
            record.type,
            record.version,
            codec.finish(entry),
            record.about,
        )
        for record, entry in zip(records, parsed, strict=True)
    ]
    keys.sealer.trim()
    return finished


async def shown(subjects: set[str], keys: Keys) -> None:
    """Have the sealer shown these keys. Twice if need be: while they were fetched another batch may have trimmed."""
    await keys.fetch(subjects)
    if keys.sealer.missing(subjects):
        await keys.fetch(subjects)


def _of_tombstone(type_: str, key: str) -> bytes:
    if type_ not in TOMBSTONES:
        raise ValueError("it has no value")
    return msgspec.json.encode({BY_NAME[type_].key_field: key})


@lru_cache(maxsize=1024)
def _schema(topic: str, type_: str, version: int) -> bytes:
    return f"/schemas/{topic}/{type_}.v{version}.json".encode()


@lru_cache(maxsize=1024)
def _version(named: bytes) -> int:
    schema = named.decode()
    stem = schema.removesuffix(".json")
    number = stem.rpartition(".v")[2]
    if stem == schema or not (number.isascii() and number.isdigit()):
        raise ValueError(f"its ce_dataschema {schema!r} names no version")
    return int(number)


@lru_cache(maxsize=4096)
def _minute(minutes: int) -> str:
    return (_EPOCH + timedelta(minutes=minutes)).strftime("%Y-%m-%dT%H:%M:")


def _time(time: int) -> bytes:
    """RFC 3339 in milliseconds; the minute is remembered, which halves the cost (0.5 us)."""
    minutes, rest = divmod(time, 60_000)
    return f"{_minute(minutes)}{rest // 1000:02d}.{rest % 1000:03d}Z".encode()


def _millis(text: str) -> Millis:
    moment = datetime.fromisoformat(text)
    if moment.tzinfo is None:
        raise ValueError(f"its ce_time {text!r} has no offset")
    return Millis((moment - _EPOCH) // timedelta(milliseconds=1))
