"""Check that a log is the one that stored positions belong to.

A store keeps the log's identity, and with each position the id of the event just before it. Event ids are unique, so
that id identifies the log and the position in it. A log that was restored from a backup ends before a stored position
or has another event there; so does the log of another installation.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import NamedTuple

from .log import Positions, Record, TopicPartition


class Mark(NamedTuple):
    """A position (the next offset), with the id of the event just before it; "" if that id is not known."""

    next: int
    last: str = ""


Marks = dict[TopicPartition, Mark]


class DoesNotFit(Exception):
    """A store was built from another log, or from records that this log has lost. The message says how to repair it."""


def last_ids(records: Iterable[Record], positions: Mapping[TopicPartition, int]) -> dict[TopicPartition, str]:
    """Return the id of the event just before each position, for the positions whose event is among the records."""
    last = {(record.topic, record.partition): record for record in records}
    return {r.place: r.about.id for r in last.values() if r.offset + 1 == positions.get(r.place)}


def conflict(marks: Mapping[TopicPartition, Mark], ends: Positions, ids: Mapping[TopicPartition, str]) -> str:
    """Return a sentence that says why the log does not fit the marks; "" if it fits.

    `ends` are the ends of the log's partitions, `ids` the id of the event that the log has just before each mark.
    """
    for place, mark in sorted(marks.items()):
        end = ends.get(place, 0)
        if end < mark.next:
            return f"{place} ends at {end} in the log, and was read up to {mark.next}"
        has = ids.get(place, "")
        if mark.last and has and mark.last != has:
            return f"{place}@{mark.next - 1} is event {has} in the log, and was {mark.last} when it was read"
    return ""
