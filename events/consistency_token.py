"""The content of a Consistency-Token: positions of the log that a read must include, and rows of the outbox."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field

from .log import Positions, TopicPartition

_OUTBOX = "outbox"


@dataclass(frozen=True, slots=True)
class ConsistencyToken:
    """Positions that a read model has to reach, and numbers of the rows of an outbox.

    A row stands for a write whose response was sent before it had a position. Read models have no rows: the position of
    a row must be looked up first.
    """

    positions: Positions = field(default_factory=Positions)
    rows: frozenset[int] = frozenset()

    def merged(self, other: ConsistencyToken) -> ConsistencyToken:
        """Return the token of the writes of both."""
        return ConsistencyToken(self.positions.merged(other.positions), self.rows | other.rows)

    def located(self, known: Mapping[int, Positions]) -> ConsistencyToken:
        """Return the token with each row replaced by its positions. A row that is not in `known` stays."""
        positions = self.positions
        for row in self.rows & known.keys():
            positions = positions.merged(known[row])
        return ConsistencyToken(positions, self.rows - known.keys())

    def __str__(self) -> str:
        """Return positions as their `str`, with `outbox-NUMBER:1` for each row. Clients have this form."""
        return str(self.positions.merged({TopicPartition(_OUTBOX, row): 1 for row in self.rows}))

    @classmethod
    def parse(cls, text: str) -> ConsistencyToken:
        """Parse the form that `str` writes. Raises ValueError."""
        positions = Positions.parse(text)
        rows = [place for place in positions if place.topic == _OUTBOX]
        for place in rows:
            del positions[place]
        return cls(positions, frozenset(place.partition for place in rows))
