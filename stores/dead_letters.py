"""Dead letters: records that a group of processors could not apply. They are set aside, so that the others go on.

A dead letter has the record's position in the log, never a copy of the record: the log keeps source topics for ever,
and a retry reads the record again. Later records of the same entity are held back behind a dead letter, in order.
"""

from __future__ import annotations

from collections.abc import Collection, Sequence
from dataclasses import dataclass
from typing import Any, Protocol

import msgspec

from events.first_copies import Entity
from events.ids import Millis
from events.log import TopicPartition


class DeadLetter(msgspec.Struct, frozen=True, kw_only=True):
    """A record that was set aside: its position, and the cause.

    `event_id` is empty if the record cannot be read. `key` is empty if even the key cannot be read; then no other
    record is held back behind this one. `cause` is one line, and empty if the record is only held back behind an
    earlier one of its entity. `at` is the time when the record was set aside, `attempts` the number of failed attempts
    to apply it.
    """

    group: str
    place: TopicPartition
    offset: int
    key: str
    event_id: str
    type: str
    version: int
    cause: str
    at: Millis
    attempts: int

    @property
    def position(self) -> str:
        """The record's position in the log: `tweets-3@42`."""
        return f"{self.place}@{self.offset}"

    @property
    def entity(self) -> Entity:
        """The record's entity: its topic and key. A record without a key is an entity by itself."""
        return self.place.topic, self.key or f"@{self.position}"


COLUMNS = tuple(f'"{name}"' for name in ("consumers", "topic", "partition", *DeadLetter.__struct_fields__[2:]))
"""The columns of a dead letter in a table, in the order of `row_of`, quoted for SQL."""


def row_of(letter: DeadLetter) -> tuple[Any, ...]:
    """Return the values of the columns of a dead letter."""
    return letter.group, *letter.place, *msgspec.structs.astuple(letter)[2:]


def letter_of(row: Sequence[Any]) -> DeadLetter:
    """Return the dead letter of a row."""
    group, topic, partition, *rest = row
    values = zip(DeadLetter.__struct_fields__, (group, TopicPartition(topic, partition), *rest), strict=True)
    return DeadLetter(**dict(values))


@dataclass(frozen=True)
class Counts:
    """The number of dead letters of a group: `failed` ones, and `all` including the records held back behind them."""

    failed: int
    all: int


class DeadLetters(Protocol):
    """The dead letters of one group. Every adapter must pass tests/contracts/test_dead_letters.py.

    All functions raise StoreUnavailable.
    """

    async def put(self, letters: Sequence[DeadLetter]) -> None:
        """Store dead letters. A record that is stored already stays unchanged.

        Call this between `begin` and `commit` of the group's sink, so that no dead letter is lost once a position has
        passed it. The rows are durable when `commit` returns, at the latest. If the batch is abandoned, rows that
        remain do no harm.
        """
        ...

    async def failed_again(self, letter: DeadLetter) -> None:
        """Change the cause and the attempts of a stored dead letter."""
        ...

    async def remove(self, letters: Collection[DeadLetter]) -> None:
        """Remove dead letters. Letters that are not stored are ignored."""
        ...

    async def page(self, after: tuple[TopicPartition, int] | None = None, limit: int = 1000) -> list[DeadLetter]:
        """Return up to `limit` dead letters after a position, in the order of topic, partition and offset."""
        ...

    async def counts(self) -> Counts:
        """Count the dead letters of the group."""
        ...


async def all_letters(letters: DeadLetters) -> list[DeadLetter]:
    """Return all dead letters of a group, in order, page by page."""
    found: list[DeadLetter] = []
    while page := await letters.page((found[-1].place, found[-1].offset) if found else None):
        found += page
    return found


class DeadLettersInMemory:
    """Dead letters that are lost when the process ends: for tests, and for groups whose results are not kept."""

    def __init__(self) -> None:
        self._letters: dict[tuple[TopicPartition, int], DeadLetter] = {}

    async def put(self, letters: Sequence[DeadLetter]) -> None:
        """Store dead letters; those stored already stay unchanged."""
        for letter in letters:
            self._letters.setdefault((letter.place, letter.offset), letter)

    async def failed_again(self, letter: DeadLetter) -> None:
        """Change a stored dead letter."""
        if (letter.place, letter.offset) in self._letters:
            self._letters[letter.place, letter.offset] = letter

    async def remove(self, letters: Collection[DeadLetter]) -> None:
        """Remove dead letters."""
        for letter in letters:
            self._letters.pop((letter.place, letter.offset), None)

    async def page(self, after: tuple[TopicPartition, int] | None = None, limit: int = 1000) -> list[DeadLetter]:
        """Return up to `limit` dead letters after a position."""
        places = sorted(place for place in self._letters if after is None or place > after)
        return [self._letters[place] for place in places[:limit]]

    async def counts(self) -> Counts:
        """Count the dead letters."""
        return Counts(sum(bool(letter.cause) for letter in self._letters.values()), len(self._letters))
