"""Limits of how many resources of a kind an account or address may use at once."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager

from .problems import ProblemError

_RETRY = (("retry-after", "1"),)


class Shares:
    """Counts the resources that each key uses, at most `most` at once. `what` names their kind in the refusal."""

    def __init__(self, what: str, most: int) -> None:
        self._what = what
        self._most = most
        self._held: dict[str, int] = {}

    def take(self, key: str) -> None:
        """Take one for a key. Raises the problem `too-many` if the key uses `most` already."""
        held = self._held.get(key, 0)
        if held >= self._most:
            raise ProblemError("too-many", f"at most {self._most} {self._what} at once", headers=_RETRY)
        self._held[key] = held + 1

    def give_back(self, key: str) -> None:
        """Release one."""
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
