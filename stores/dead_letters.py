"""Dead letters: the records that a group of processors could not apply and set aside, so that all others go on.

A dead letter is a pointer into the log, never a copy of what stands there: the log keeps source topics for ever, and a
retry reads the record again at its position. Later records of the same entity are held back behind it, in order.
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
    """A record that was set aside: where it stands, and why.

    `event_id` is empty where the record cannot be read, and `key` where not even that can be: then it stands alone, and
    nothing is held back for it. `cause` is one line; it is empty where the record is only held back behind an earlier
    one of its entity. `at` is when it was set aside, `attempts` how often it was applied in vain.
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
        """Where the record stands: `tweets-3@42`."""
        return f"{self.place}@{self.offset}"

    @property
    def entity(self) -> Entity:
        """The topic and key of what the record belongs to. One without a key is an entity by itself."""
        return self.place.topic, self.key or f"@{self.position}"


COLUMNS = tuple(f'"{name}"' for name in ("consumers", "topic", "partition", *DeadLetter.__struct_fields__[2:]))
"""The columns of a letter in a table, in the order of its row, quoted for SQL."""


def row_of(letter: DeadLetter) -> tuple[Any, ...]:
    """The values of a letter's columns."""
    return letter.group, *letter.place, *msgspec.structs.astuple(letter)[2:]


def letter_of(row: Sequence[Any]) -> DeadLetter:
    """The letter that a row has."""
    group, topic, partition, *rest = row
    values = zip(DeadLetter.__struct_fields__, (group, TopicPartition(topic, partition), *rest), strict=True)
    return DeadLetter(**dict(values))


@dataclass(frozen=True)
class Counts:
    """How many letters a group has: those that failed, and all with those that are held back behind them."""

    failed: int
    all: int


class DeadLetters(Protocol):
    """The dead letters of one group. tests/contracts/test_dead_letters.py is what every adapter must pass.

    All raise StoreUnavailable.
    """

    async def put(self, letters: Sequence[DeadLetter]) -> None:
        """Keep letters, before the positions that pass them land; one that is there already stays as it is.

        Called within a batch of the group's sink, between its `begin` and `commit`. Durable when that commit is, at the
        latest; kept although the batch comes to nothing, they do no harm.
        """
        ...

    async def failed_again(self, letter: DeadLetter) -> None:
        """Change cause and attempts of a letter that is there."""
        ...

    async def remove(self, letters: Collection[DeadLetter]) -> None:
        """Drop letters; those that are not there are none."""
        ...

    async def page(self, after: tuple[TopicPartition, int] | None = None, limit: int = 1000) -> list[DeadLetter]:
        """Up to `limit` letters past a position, in order of topic, partition and offset."""
        ...

    async def counts(self) -> Counts:
        """How many there are."""
        ...


async def all_letters(letters: DeadLetters) -> list[DeadLetter]:
    """All letters of a group, in order."""
    found: list[DeadLetter] = []
    while page := await letters.page((found[-1].place, found[-1].offset) if found else None):
        found += page
    return found


class DeadLettersInMemory:
    """Letters that end with the process: for tests, and for groups that are not kept."""

    def __init__(self) -> None:
        self._letters: dict[tuple[TopicPartition, int], DeadLetter] = {}

    async def put(self, letters: Sequence[DeadLetter]) -> None:
        """Keep them."""
        for letter in letters:
            self._letters.setdefault((letter.place, letter.offset), letter)

    async def failed_again(self, letter: DeadLetter) -> None:
        """Change one that is there."""
        if (letter.place, letter.offset) in self._letters:
            self._letters[letter.place, letter.offset] = letter

    async def remove(self, letters: Collection[DeadLetter]) -> None:
        """Drop them."""
        for letter in letters:
            self._letters.pop((letter.place, letter.offset), None)

    async def page(self, after: tuple[TopicPartition, int] | None = None, limit: int = 1000) -> list[DeadLetter]:
        """Those past a position."""
        places = sorted(place for place in self._letters if after is None or place > after)
        return [self._letters[place] for place in places[:limit]]

    async def counts(self) -> Counts:
        """How many there are."""
        return Counts(sum(bool(letter.cause) for letter in self._letters.values()), len(self._letters))
