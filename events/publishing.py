"""Publishing: records that are encoded and sealed already, on their way into a log that has no transactions of ours."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Protocol

import msgspec

from .codec import Codec
from .event import BY_CLASS, Envelope
from .log import New, Positions
from .validity import check


class Outgoing(msgspec.Struct, frozen=True, gc=False):
    """A record as it will stand in the log. Whoever publishes it needs no keys, so a relay can."""

    topic: str
    key: str
    type: str
    version: int
    value: bytes
    about: Envelope


class Publisher(Protocol):
    """Appends what was decided elsewhere."""

    async def publish(self, records: Sequence[Outgoing]) -> Positions:
        """Append the records in order per entity, durably; answers the positions just past them.

        Unlike EventLog.append it is not all or nothing: when it raises LogUnavailable, some of the records may stand
        in the log or may come to. Publishing them again makes copies, which law 4 takes care of.
        """
        ...


def outgoing(new: New, codec: Codec) -> Outgoing:
    """A new event encoded. Raises InvalidEvent, and KeyUnknown where the codec has not been shown its subject's key."""
    check(new.event, new.about)
    kind = BY_CLASS[type(new.event)]
    value = codec.encode(new.event, new.about.id)
    return Outgoing(kind.topic, kind.key(new.event), kind.name, kind.version, value, new.about)
