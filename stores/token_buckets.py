"""The port of rate limits that all processes share: token buckets by the key of a client."""

from __future__ import annotations

from collections.abc import Sequence
from typing import NamedTuple, Protocol

from events.ids import Millis


class Limit(NamedTuple):
    """A limit: `burst` is the capacity of its bucket in tokens, `per_ms` the tokens added in a millisecond."""

    name: str
    burst: int
    per_ms: float


class TokenBuckets(Protocol):
    """Token buckets that processes share."""

    async def take(self, key: str, limits: Sequence[Limit], cost: int = 1) -> tuple[int | None, list[float], Millis]:
        """Take `cost` tokens from each bucket of `key`. If a bucket has less than one token, take none from any.

        Return the index of the limit that refuses, or None; the tokens left in each bucket; and the store's time.
        Raises StoreUnavailable.
        """
        ...

    async def give_back(self, key: str, limits: Sequence[Limit]) -> None:
        """Return a token to each bucket. Raises StoreUnavailable."""
        ...
