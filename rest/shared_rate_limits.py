"""Rate limits that all processes share, with each process's own limits while the shared store is unavailable.

The limits neither open nor close then: a client has in each process the budget that it has in all together.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence

from events.ids import Millis
from stores.sink import StoreUnavailable
from stores.token_buckets import Limit, TokenBuckets

from .rate_limits import Bucket, LocalRateLimits, RatePolicy, too_many

UNAVAILABLE_MS = 1000
"""After a failure the store is not used for this long, so only one request a second waits for it in vain."""


class SharedRateLimits:
    """The RateLimits port on shared buckets; `local` buckets are used while they are unavailable."""

    def __init__(self, buckets: TokenBuckets, local: LocalRateLimits, clock: Callable[[], Millis]) -> None:
        self._buckets = buckets
        self._local = local
        self._clock = clock
        self._unavailable_until = 0
        self.on_refused: Callable[[str], None] = lambda name: None
        """Called with the policy's name at each refusal."""
        local.on_refused = lambda name: self.on_refused(name)

    async def take(self, policies: tuple[RatePolicy, ...], key: str) -> tuple[Bucket, ...]:
        """Take one token from each policy's bucket of `key`, or none at all. Raises TooMany."""
        if not self._unavailable():
            try:
                return await self._ask(policies, key, 1)
            except StoreUnavailable:
                self._leave()
        return await self._local.take(policies, key)

    async def check(self, policies: tuple[RatePolicy, ...], key: str) -> None:
        """Raise TooMany if a token could not be taken now. Takes none."""
        if not self._unavailable():
            try:
                await self._ask(policies, key, 0)
                return
            except StoreUnavailable:
                self._leave()
        await self._local.check(policies, key)

    async def give_back(self, policies: tuple[RatePolicy, ...], key: str) -> None:
        """Return the token of a use that did not happen."""
        if not self._unavailable():
            try:
                await self._buckets.give_back(key, _limits(policies))
                return
            except StoreUnavailable:
                self._leave()
        await self._local.give_back(policies, key)

    async def _ask(self, policies: tuple[RatePolicy, ...], key: str, cost: int) -> tuple[Bucket, ...]:
        refused, left, now = await self._buckets.take(key, _limits(policies), cost)
        buckets = tuple(Bucket(policy, tokens, now) for policy, tokens in zip(policies, left, strict=True))
        if refused is not None:
            self.on_refused(policies[refused].name)
            raise too_many(buckets[refused])
        return buckets

    def _unavailable(self) -> bool:
        return self._clock() < self._unavailable_until

    def _leave(self) -> None:
        self._unavailable_until = self._clock() + UNAVAILABLE_MS


def _limits(policies: Sequence[RatePolicy]) -> list[Limit]:
    return [Limit(policy.name, policy.burst, policy.per_ms) for policy in policies]
