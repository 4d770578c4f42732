"""Publishing: the port that appends encoded and sealed records to a log without transactions."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Protocol

import msgspec

from .codec import Codec
from .event import BY_CLASS, Envelope
from .log import New, Positions
from .validity import check


class Outgoing(msgspec.Struct, frozen=True, gc=False):
    """A record in the form in which the log stores it. Publishing it needs no keys, so a relay can do it."""

    topic: str
    key: str
    type: str
    version: int
    value: bytes
    about: Envelope


class Publisher(Protocol):
    """Appends records that were decided and encoded elsewhere."""

    async def publish(self, records: Sequence[Outgoing]) -> Positions:
        """Append the records in order per entity, durably; return the positions just past them.

        Unlike EventLog.append it is not all or nothing: if it raises LogUnavailable, some of the records may be in the
        log, or may still arrive there. Publishing them again makes copies, which have no effect (law 4).
        """
        ...


def outgoing(new: New, codec: Codec) -> Outgoing:
    """Encode a new event. Raises InvalidEvent, and KeyUnknown if the sealer does not hold its subject's key."""
    check(new.event, new.about)
    kind = BY_CLASS[type(new.event)]
    value = codec.encode(new.event, new.about.id)
    return Outgoing(kind.topic, kind.key(new.event), kind.name, kind.version, value, new.about)
