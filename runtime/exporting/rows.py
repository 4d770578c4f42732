"""A record of the log as it is exported: still sealed, or opened."""

from __future__ import annotations

from collections.abc import Iterable
from datetime import UTC, datetime

import msgspec

from events.event import BY_NAME
from events.log import Record, StoredRecord

_DAY_MS = 86_400_000
_encode = msgspec.json.Encoder().encode


def opened_rows(records: Iterable[Record]) -> list[StoredRecord]:
    """Return opened records in the form of stored ones: of the current version, with every field in clear.

    A record that cannot be read, or whose key was destroyed, has an empty value.
    """
    rows = []
    for record in records:
        kind = BY_NAME.get(record.type)
        readable = record.event is not None and kind is not None
        rows.append(
            StoredRecord(
                record.topic,
                record.partition,
                record.offset,
                record.key,
                record.type,
                kind.version if kind is not None and readable else record.version,
                _encode(record.event) if readable else b"",
                record.about,
                record.fault,
            )
        )
    return rows


def day_number(record: StoredRecord) -> int:
    """Return the UTC day at which the event happened, counted from 1970-01-01."""
    return record.about.time // _DAY_MS


def date_of(day: int) -> str:
    """Return the date of a day, `2015-02-17`."""
    return datetime.fromtimestamp(day * _DAY_MS / 1000, UTC).strftime("%Y-%m-%d")
