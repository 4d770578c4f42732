"""Keys and passwords as they are kept beside the log, so that they outlive the database that has them.

They are in no event: a log that is never rewritten must not hold what may have to be erased. In this topic the newest
record of a key replaces the older ones. A destroyed key leaves a record that says so, and no tombstone: those vanish
after a day, and a database that is restored from last week would bring the key back.
"""

from __future__ import annotations

from collections.abc import AsyncIterator, Mapping, Sequence
from typing import NamedTuple, Protocol

import msgspec

from .event import Envelope
from .ids import AccountId, EventId, Millis
from .log import Positions, TopicPartition
from .publishing import Outgoing
from .topics import KEYS


class KeptKey(msgspec.Struct, frozen=True, gc=False, tag="key"):
    """A subject's key, or a secret of the installation, wrapped by a master key. `wrapped` is None: it is destroyed."""

    subject: str
    master: str
    wrapped: bytes | None

    @property
    def key(self) -> str:
        """The key of its record."""
        return self.subject


class KeptPassword(msgspec.Struct, frozen=True, gc=False, tag="password"):
    """The hash of an account's password, sealed with the account's key. Of two the one with the later `at` counts."""

    account: AccountId
    at: Millis
    sealed: str

    @property
    def key(self) -> str:
        """The key of its record."""
        return f"password:{self.account}"


class Tick(msgspec.Struct, frozen=True, gc=False, tag="tick"):
    """Nothing to keep. Kafka compacts no segment that it writes to, and begins another one with a record alone."""

    number: int

    @property
    def key(self) -> str:
        """The key of its record."""
        return f"tick:{self.number}"


Kept = KeptKey | KeptPassword | Tick


class Batch(NamedTuple):
    """Records of the topic in order, and the positions just past them."""

    kept: Sequence[Kept]
    positions: Positions


class KeptReader(Protocol):
    """Reading the topic of keys and passwords."""

    async def ends(self) -> Positions:
        """Where its partitions end now. Raises LogUnavailable."""
        ...

    def since(self, positions: Mapping[TopicPartition, int]) -> AsyncIterator[Batch]:
        """All records from `positions` up to the ends as of now, batch by batch. Raises LogUnavailable."""
        ...


class KeptTopic(KeptReader, Protocol):
    """Reading and appending."""

    async def publish(self, kept: Sequence[Kept]) -> Positions:
        """Append records, durably; answers the positions just past them. Raises LogUnavailable."""
        ...


_encode = msgspec.json.Encoder().encode
_decode = msgspec.json.Decoder(Kept).decode


def outgoing(kept: Kept, id_: EventId, at: Millis) -> Outgoing:
    """The record to publish."""
    return Outgoing(KEYS.name, kept.key, type(kept).__name__, 1, _encode(kept), Envelope(id_, at))


def read(key: bytes | None, value: bytes | None) -> Kept:
    """The inverse. Raises ValueError where a record is not one of these, or stands under another key."""
    try:
        kept: Kept = _decode(value or b"")
    except (msgspec.MsgspecError, RecursionError) as error:
        raise ValueError(str(error)) from None
    if key != kept.key.encode():
        raise ValueError(f"it is about {kept.key}, and its key is {key!r}")
    return kept
