"""Drop copies of events, so that redelivery has no effect (law 4).

The first copies of an entity's events (a topic and a key) stand in the log in the order of their ids. A reader stores
the newest id of each entity in the same transaction as the effects. A record with an id that is not newer is a copy,
whether it was redelivered at once, redelivered late, or appended again at another offset.
"""

from __future__ import annotations

from collections.abc import Iterable, MutableMapping

from .log import Record

Entity = tuple[str, str]
"""A topic and a key."""


def entities(records: Iterable[Record]) -> set[Entity]:
    """Return the entities of the records."""
    return {(record.topic, record.key) for record in records}


def first_copies(records: Iterable[Record], newest: MutableMapping[Entity, str]) -> list[Record]:
    """Return the records that are no copies, in their order, and raise the ids in `newest` to theirs.

    `newest` holds the newest id of each entity that has one. Records with a fault are left out and change no newest id.
    """
    fresh = []
    for record in records:
        entity = (record.topic, record.key)
        id_ = record.about.id
        if not record.fault and id_ > newest.get(entity, ""):
            newest[entity] = id_
            fresh.append(record)
    return fresh
