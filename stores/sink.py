"""The port of a group's effects: rows, newest ids and positions, stored together or not at all."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import Protocol

from events.event import Envelope
from events.first_copies import Entity
from events.fitting import Marks
from events.log import Positions, Record, TopicPartition

UNKNOWN: Mapping[TopicPartition, str] = {}


class Sink(Protocol):
    """The transaction of one group. Every adapter must pass tests/contracts/test_sink.py."""

    async def positions(self) -> Positions:
        """Return the positions up to which effects are durable."""
        ...

    async def marks(self) -> Marks:
        """Return the same positions as marks: each with the id of the event before it, which identifies the log."""
        ...

    async def newest(self, entities: Iterable[Entity]) -> dict[Entity, str]:
        """Return the newest applied id of each entity. Entities without one are left out."""
        ...

    async def begin(self) -> None:
        """Start a batch. All writes through the ports belong to it until `commit` or `abandon`."""
        ...

    def applying(self, about: Envelope, at: Record | None) -> None:
        """Name the event that causes the next writes. `at` is its record, None if the event was derived."""
        ...

    async def commit(
        self, positions: Positions, newest: Mapping[Entity, str], last: Mapping[TopicPartition, str] = UNKNOWN
    ) -> None:
        """Store the batch, the positions it reaches and the newest ids that changed. Raises StoreUnavailable.

        `last` has the id of the event just before each position. It has none where the record before was skipped.
        """
        ...

    async def abandon(self) -> None:
        """Discard all writes since `begin`."""
        ...

    async def check(self) -> None:
        """Raise SinkMoved if the store is behind this sink's last commit. Called between batches.

        Raises StoreUnavailable.
        """
        ...

    async def close(self) -> None:
        """Release the sink's own resources, such as a connection."""
        ...


class StoreUnavailable(Exception):
    """A store cannot be reached or written now. The call took no effect and can be made again."""


class StoreRefused(Exception):
    """A store answers a command with an error that a retry would get again.

    The fault is in the software, or in the data under the key. It is not an outage.
    """


class SinkMoved(Exception):
    """The store is not as this sink left it: it was lost, restored, or taken further by another worker.

    The store itself works: continue from its `positions`. `store` is its name, for messages.
    """

    def __init__(self, store: str) -> None:
        super().__init__(
            f"{store} does not hold what this group left there: it was lost, restored from a backup, or another worker"
            " went on from there"
        )
