"""What a record tells, by the class that its event is known to have."""

from __future__ import annotations

from typing import TypeVar

from events.event import Event
from events.log import New, Record

E = TypeVar("E", bound=Event)


def event_of(record: Record | New, kind: type[E]) -> E:
    """Return the event of a record of this kind."""
    assert isinstance(record.event, kind)
    return record.event
