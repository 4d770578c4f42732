"""Rate limits that all processes share, and each process's own while the store of them is away.

Neither open gates nor closed ones: without the store a client has in each process what it would have in all together.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence

from events.ids import Millis
from stores.sink import StoreUnavailable
from stores.token_buckets import Limit, TokenBuckets

from .rate_limits import Bucket, LocalRateLimits, Policy, too_many

AWAY_MS = 1000
"""How long the store is not asked again after it did not answer: only one use a second waits in vain."""


class SharedRateLimits:
    """The RateLimits port on shared buckets, with `local` ones behind it."""

    def __init__(self, buckets: TokenBuckets, local: LocalRateLimits, clock: Callable[[], Millis]) -> None:
        self._buckets = buckets
        self._local = local
        self._clock = clock
        self._away_until = 0
        self.on_refused: Callable[[str], None] = lambda name: None
        """Called with a policy's name whenever it refuses."""
        local.on_refused = lambda name: self.on_refused(name)

    async def take(self, policies: tuple[Policy, ...], key: str) -> tuple[Bucket, ...]:
        """Take one token of each policy's bucket of `key`, or of none. Raises TooMany."""
        if not self._away():
            try:
                return await self._ask(policies, key, 1)
            except StoreUnavailable:
                self._leave()
        return await self._local.take(policies, key)

    async def check(self, policies: tuple[Policy, ...], key: str) -> None:
        """Raise TooMany where a token could not be taken now, and take none."""
        if not self._away():
            try:
                await self._ask(policies, key, 0)
                return
            except StoreUnavailable:
                self._leave()
        await self._local.check(policies, key)

    async def give_back(self, policies: tuple[Policy, ...], key: str) -> None:
        """Return a token that was taken for something that did not happen."""
        if not self._away():
            try:
                await self._buckets.give_back(key, _limits(policies))
                return
            except StoreUnavailable:
                self._leave()
        await self._local.give_back(policies, key)

    async def _ask(self, policies: tuple[Policy, ...], key: str, cost: int) -> tuple[Bucket, ...]:
        refused, left, now = await self._buckets.take(key, _limits(policies), cost)
        buckets = tuple(Bucket(policy, tokens, now) for policy, tokens in zip(policies, left, strict=True))
        if refused is not None:
            self.on_refused(policies[refused].name)
            raise too_many(buckets[refused])
        return buckets

    def _away(self) -> bool:
        return self._clock() < self._away_until

    def _leave(self) -> None:
        self._away_until = self._clock() + AWAY_MS


def _limits(policies: Sequence[Policy]) -> list[Limit]:
    return [Limit(policy.name, policy.burst, policy.per_ms) for policy in policies]
