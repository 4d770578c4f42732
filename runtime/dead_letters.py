"""Operators' requests about dead letters, and their results."""

from __future__ import annotations

from collections.abc import Iterable

import msgspec

from runtime.quantities import counted
from stores.dead_letters import DeadLetter


class Choice(msgspec.Struct, frozen=True):
    """A choice of dead letters: of a group, at a position (`tweets-3@42`), of an entity (`tweets/KEY`).

    An empty field chooses all.
    """

    group: str = ""
    position: str = ""
    entity: str = ""

    def of(self, letters: Iterable[DeadLetter]) -> list[DeadLetter]:
        """Return the chosen letters."""
        return [letter for letter in letters if self._has(letter)]

    def given_up(self, letters: Iterable[DeadLetter]) -> list[DeadLetter]:
        """Return the letters that a discard of this choice drops.

        A letter that is only held back is dropped if its position is named. Otherwise it is applied, after the letter
        before it is gone.
        """
        return [letter for letter in self.of(letters) if letter.cause or self.position]

    def _has(self, letter: DeadLetter) -> bool:
        return (
            self.group in ("", letter.group)
            and self.position in ("", letter.position)
            and self.entity in ("", f"{letter.place.topic}/{letter.key}")
        )


class Waiting(msgspec.Struct, frozen=True, array_like=True):
    """The number of dead letters of a group: `failed`, `all` with those held back, and the `total` failed since the
    start.
    """

    failed: int = 0
    all: int = 0
    total: int = 0

    def sentence(self, group: str) -> str:
        """Return the sentence for /readyz; empty if there are none."""
        if not self.all:
            return ""
        held = self.all - self.failed
        behind = f", {held:,} of them held back" if held else ""
        return f"{group} has {counted(self.all, 'dead letter')}{behind}; `minitwitter dead-letters list` shows them"


class Mended(msgspec.Struct, frozen=True):
    """The result of a retry or a discard: letters applied, letters dropped, and chosen letters that are left."""

    applied: int = 0
    discarded: int = 0
    left: int = 0


class NothingToDiscard(Exception):
    """The named position has neither a dead letter nor a record; the message says so."""
