"""Law 4: redelivery does not matter, because whoever folds events drops what is not newer than its entity's newest.

First copies of an entity's events (a topic and a key) stand in the log in the order of their ids. So one number an
entity, kept beside the effects and changed in the same transaction, tells every copy from every first copy, be it
redelivered at once, late, or appended again at another offset.
"""

from __future__ import annotations

from collections.abc import Iterable, MutableMapping

from .log import Record

Entity = tuple[str, str]
"""A topic and a key."""


def entities(records: Iterable[Record]) -> set[Entity]:
    """The entities that the records belong to."""
    return {(record.topic, record.key) for record in records}


def first_copies(records: Iterable[Record], newest: MutableMapping[Entity, str]) -> list[Record]:
    """The records that were not folded before, in their order; `newest` is brought up to them.

    `newest` holds the newest id of those entities that have any. A record that cannot be read is no copy of anything,
    is left out, and moves nothing.
    """
    fresh = []
    for record in records:
        entity = (record.topic, record.key)
        id_ = record.about.id
        if not record.fault and id_ > newest.get(entity, ""):
            newest[entity] = id_
            fresh.append(record)
    return fresh
