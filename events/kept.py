"""Records of the topic `keys`: subjects' keys and passwords, stored beside the log so that they survive their database.

No event holds them: the log is never rewritten, and a key must be erasable. The topic is compacted, so a key's newest
record replaces the older ones. A destroyed key has a record that says so instead of a tombstone: Kafka removes
tombstones after a day, and then restoring last week's database would bring the key back.
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
    """A subject's key, or a secret of the installation, wrapped by a master key. `wrapped` is None once it is
    destroyed.
    """

    subject: str
    master: str
    wrapped: bytes | None

    @property
    def key(self) -> str:
        """The key of the Kafka record."""
        return self.subject


class KeptPassword(msgspec.Struct, frozen=True, gc=False, tag="password"):
    """The hash of an account's password, sealed with the account's key. The record with the latest `at` is current."""

    account: AccountId
    at: Millis
    sealed: str

    @property
    def key(self) -> str:
        """The key of the Kafka record."""
        return f"password:{self.account}"


class Tick(msgspec.Struct, frozen=True, gc=False, tag="tick"):
    """A record without content. Kafka compacts a segment only after it started another, which takes a new record."""

    number: int

    @property
    def key(self) -> str:
        """The key of the Kafka record."""
        return f"tick:{self.number}"


Kept = KeptKey | KeptPassword | Tick


class KeptBatch(NamedTuple):
    """Records of the topic in order, and the positions just past them."""

    kept: Sequence[Kept]
    positions: Positions


class KeptReader(Protocol):
    """Reads the topic of keys and passwords."""

    async def ends(self) -> Positions:
        """Return the ends of the topic's partitions. Raises LogUnavailable."""
        ...

    def since(self, positions: Mapping[TopicPartition, int]) -> AsyncIterator[KeptBatch]:
        """Yield the records from `positions` up to the ends at the time of the call, in batches.

        Raises LogUnavailable.
        """
        ...


class KeptTopic(KeptReader, Protocol):
    """Reads and appends to the topic of keys and passwords."""

    async def publish(self, kept: Sequence[Kept]) -> Positions:
        """Append records, durably; return the positions just past them. Raises LogUnavailable."""
        ...


_encode = msgspec.json.Encoder().encode
_decode = msgspec.json.Decoder(Kept).decode


def outgoing(kept: Kept, id_: EventId, at: Millis) -> Outgoing:
    """Encode a key, password or tick as the record to publish."""
    return Outgoing(KEYS.name, kept.key, type(kept).__name__, 1, _encode(kept), Envelope(id_, at))


def read(key: bytes | None, value: bytes | None) -> Kept:
    """Decode a record: the inverse of `outgoing`. Raises ValueError if it is not one, or has another record's key."""
    try:
        kept: Kept = _decode(value or b"")
    except (msgspec.MsgspecError, RecursionError) as error:
        raise ValueError(str(error)) from None
    if key != kept.key.encode():
        raise ValueError(f"its content belongs to {kept.key}, and its key is {key!r}")
    return kept
