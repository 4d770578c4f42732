"""What an operator can ask of dead letters: which of them, and what came of it."""

from __future__ import annotations

from collections.abc import Iterable

import msgspec

from runtime.quantities import counted
from stores.dead_letters import DeadLetter


class Choice(msgspec.Struct, frozen=True):
    """Some dead letters: those of a group, at a position (`tweets-3@42`), of an entity (`tweets/KEY`).

    What is empty chooses all.
    """

    group: str = ""
    position: str = ""
    entity: str = ""

    def of(self, letters: Iterable[DeadLetter]) -> list[DeadLetter]:
        """Those of the letters that are chosen."""
        return [letter for letter in letters if self._has(letter)]

    def given_up(self, letters: Iterable[DeadLetter]) -> list[DeadLetter]:
        """Those of the letters that a discard of this choice gives up.

        A letter that is only held back is given up where its position is named. Otherwise it is applied, once the
        letter before it is gone.
        """
        return [letter for letter in self.of(letters) if letter.cause or self.position]

    def _has(self, letter: DeadLetter) -> bool:
        return (
            self.group in ("", letter.group)
            and self.position in ("", letter.position)
            and self.entity in ("", f"{letter.place.topic}/{letter.key}")
        )


class Waiting(msgspec.Struct, frozen=True, array_like=True):
    """How many dead letters a group has now: that failed, and with those held back; `total` failed since the start."""

    failed: int = 0
    all: int = 0
    total: int = 0

    def sentence(self, group: str) -> str:
        """What /readyz says of it; empty where there are none."""
        if not self.all:
            return ""
        held = self.all - self.failed
        behind = f", {held:,} of them held back" if held else ""
        return f"{group} has {counted(self.all, 'dead letter')}{behind}; `minitwitter dead-letters list` shows them"


class Mended(msgspec.Struct, frozen=True):
    """What came of a retry or a discard: letters applied, letters given up, and letters left of those chosen."""

    applied: int = 0
    discarded: int = 0
    left: int = 0


class NothingToDiscard(Exception):
    """What was named is no dead letter and no record; the message says so."""
