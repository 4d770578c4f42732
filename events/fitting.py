"""Whether a log is the one that positions were noted on: by its identity, and by the newest event before each position.

An event id is unique everywhere, so the id just before a position names the log and the place in it. A log that was
restored from a backup ends before some position, or has another event there; so does the log of another installation.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import NamedTuple

from .log import Positions, Record, TopicPartition


class Mark(NamedTuple):
    """A position, with the id of the event just before it; "" where that is not known."""

    next: int
    last: str = ""


Marks = dict[TopicPartition, Mark]


class DoesNotFit(Exception):
    """A store was made from another log, or from more of this log than there is. The message says what mends it."""


def last_ids(records: Iterable[Record], positions: Mapping[TopicPartition, int]) -> dict[TopicPartition, str]:
    """The id of the event just before each position, of those that are among the records."""
    return {record.place: record.about.id for record in records if record.offset + 1 == positions.get(record.place)}


def conflict(marks: Mapping[TopicPartition, Mark], ends: Positions, ids: Mapping[TopicPartition, str]) -> str:
    """What speaks against a log being the one that was read up to `marks`; "" where nothing does.

    `ends` is where the log ends, `ids` the id that it has just before each mark.
    """
    for place, mark in sorted(marks.items()):
        end = ends.get(place, 0)
        if end < mark.next:
            return f"{place} ends at {end} in the log, and was read up to {mark.next}"
        has = ids.get(place, "")
        if mark.last and has and mark.last != has:
            return f"{place}@{mark.next - 1} is event {has} in the log, and was {mark.last} when it was read"
    return ""
