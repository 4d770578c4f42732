"""The port of rate limits that all processes share: token buckets by the key of a client."""

from __future__ import annotations

from collections.abc import Sequence
from typing import NamedTuple, Protocol

from events.ids import Millis


class Limit(NamedTuple):
    """A limit: the tokens that its bucket holds, and the tokens that come back in a millisecond."""

    name: str
    burst: int
    per_ms: float


class TokenBuckets(Protocol):
    """Buckets that processes share."""

    async def take(self, key: str, limits: Sequence[Limit], cost: int = 1) -> tuple[int | None, list[float], Millis]:
        """Take `cost` from each bucket of `key`; if one of them has less than a token, take nothing.

        Return the index of the limit that refuses, or None; the tokens left in each bucket; and the time. Raises
        StoreUnavailable.
        """
        ...

    async def give_back(self, key: str, limits: Sequence[Limit]) -> None:
        """Return a token to each bucket. Raises StoreUnavailable."""
        ...
