"""Shares: how many of a kind each account or address may have in hand at once, so that it leaves room for others."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager

from .problems import ProblemError

_RETRY = (("retry-after", "1"),)


class Shares:
    """Counts what each key has in hand, `most` at once. `what` names the kind in the refusal."""

    def __init__(self, what: str, most: int) -> None:
        self._what = what
        self._most = most
        self._held: dict[str, int] = {}

    def take(self, key: str) -> None:
        """Take one for a key. Raises the problem `too-many` where it has as many as it may."""
        held = self._held.get(key, 0)
        if held >= self._most:
            raise ProblemError("too-many", f"{self._most} {self._what} at once are the most", headers=_RETRY)
        self._held[key] = held + 1

    def give_back(self, key: str) -> None:
        """Return one."""
        held = self._held[key] - 1
        if held:
            self._held[key] = held
        else:
            del self._held[key]

    @contextmanager
    def one(self, key: str) -> Iterator[None]:
        """Hold one for as long as the context lasts."""
        self.take(key)
        try:
            yield
        finally:
            self.give_back(key)
