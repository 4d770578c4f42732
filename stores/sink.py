"""Where a group of processors lands its effects: rows, newest ids and positions, together or not at all."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import Protocol

from events.event import Envelope
from events.first_copies import Entity
from events.fitting import Marks
from events.log import Positions, Record, TopicPartition

UNKNOWN: Mapping[TopicPartition, str] = {}


class Sink(Protocol):
    """One group's transaction. tests/contracts/test_sink.py is what every adapter must pass."""

    async def positions(self) -> Positions:
        """How far the effects that are durable reach."""
        ...

    async def marks(self) -> Marks:
        """The same positions, each with the id of the event just before it, which tells the log that was read."""
        ...

    async def newest(self, entities: Iterable[Entity]) -> dict[Entity, str]:
        """The newest id folded of each entity that has one."""
        ...

    async def begin(self) -> None:
        """Start a batch: what is written through the ports from now on belongs to it."""
        ...

    def applying(self, about: Envelope, at: Record | None) -> None:
        """What is written from now on is the doing of this event; `at` is its record, None where it was derived."""
        ...

    async def commit(
        self, positions: Positions, newest: Mapping[Entity, str], last: Mapping[TopicPartition, str] = UNKNOWN
    ) -> None:
        """Land the batch, the positions it reaches and the newest ids that changed. Raises StoreUnavailable.

        `last` is the id of the event just before each position; a position that was passed over has none.
        """
        ...

    async def abandon(self) -> None:
        """Undo what was written since `begin`."""
        ...

    async def check(self) -> None:
        """Raise SinkMoved where the store is behind what this sink left there; for quiet times. Or StoreUnavailable."""
        ...

    async def close(self) -> None:
        """Let go of what is its own, a connection say."""
        ...


class StoreUnavailable(Exception):
    """A store cannot be reached or written now; the call took no effect and can be made again."""


class StoreRefused(Exception):
    """A store answers a command with an error about the command, and would again: the fault is in the software or in
    what the store holds there. It is no outage."""


class SinkMoved(Exception):
    """The store is not where this sink left it: lost, restored, or taken further by another.

    Nothing is wrong with it: take it up again from `positions`. `store` is its name, for people.
    """

    def __init__(self, store: str) -> None:
        super().__init__(
            f"{store} does not hold what this group left there: it was lost, restored from a backup, or another worker"
            " went on from there"
        )
