"""Token buckets on Redis, shared by all processes: the TokenBuckets port.

A bucket is a hash that expires when it would be full again: a full bucket is the same as none. All buckets of one user
or address share a hash slot and are read by one script, in about 0.2 ms with its round trip.
"""

from __future__ import annotations

import hashlib
import logging
from collections.abc import Callable, Sequence
from typing import Any

from events.ids import Millis

from ..sink import StoreRefused, StoreUnavailable
from ..token_buckets import Limit
from .connection import Argument, Client, Script

_log = logging.getLogger(__name__)

_TAKE = Script("""
local now, cost, left, refused = tonumber(ARGV[1]), tonumber(ARGV[2]), {}, 0
for i, key in ipairs(KEYS) do
    local burst, per_ms = tonumber(ARGV[2 * i + 1]), tonumber(ARGV[2 * i + 2])
    local held = redis.call('HMGET', key, 'tokens', 'at')
    left[i] = burst
    if held[1] then left[i] = math.min(burst, held[1] + math.max(0, now - held[2]) * per_ms) end
    if left[i] < 1 - 1e-6 and refused == 0 then refused = i end
end
if refused == 0 and cost > 0 then
    for i, key in ipairs(KEYS) do
        local burst, per_ms = tonumber(ARGV[2 * i + 1]), tonumber(ARGV[2 * i + 2])
        left[i] = left[i] - cost
        local at = math.max(now, tonumber(redis.call('HGET', key, 'at') or 0))
        redis.call('HSET', key, 'tokens', string.format('%.17g', left[i]), 'at', string.format('%d', at))
        redis.call('PEXPIRE', key, math.ceil((burst - left[i]) / per_ms) + 1000)
    end
end
for i = 1, #left do left[i] = string.format('%.17g', left[i]) end
return {refused, unpack(left)}
""")
"""ARGV: the time, the cost, and for each bucket its capacity and the tokens added in a millisecond.

`at` never goes back: processes whose clocks differ must not refill a bucket twice.
"""

_GIVE_BACK = Script("""
for i, key in ipairs(KEYS) do
    local tokens = redis.call('HGET', key, 'tokens')
    if tokens then
        redis.call('HSET', key, 'tokens', string.format('%.17g', math.min(tonumber(ARGV[i]), tokens + 1)))
    end
end
""")


class RedisTokenBuckets:
    """Buckets of all clients. `clock` is this process's; `pepper` keys the hash that hides clients' keys in Redis."""

    def __init__(self, client: Client, clock: Callable[[], Millis], pepper: bytes) -> None:
        self._client = client
        self._clock = clock
        self._pepper = pepper

    async def take(self, key: str, limits: Sequence[Limit], cost: int = 1) -> tuple[int | None, list[float], Millis]:
        """Take `cost` tokens from each bucket of `key`. If a bucket has less than one token, take none from any.

        Return the index of the limit that refuses, or None; the tokens left in each bucket; and the time. Raises
        StoreUnavailable.
        """
        now = self._clock()
        arguments = [now, cost, *(argument for _, burst, per_ms in limits for argument in (burst, per_ms))]
        [(refused, *left)] = await self._run(_TAKE, self._keys(key, limits), arguments)
        return refused - 1 if refused else None, [float(tokens) for tokens in left], now

    async def give_back(self, key: str, limits: Sequence[Limit]) -> None:
        """Return a token to each bucket. Raises StoreUnavailable."""
        await self._run(_GIVE_BACK, self._keys(key, limits), [burst for _, burst, _ in limits])

    async def _run(self, script: Script, keys: Sequence[str], arguments: Sequence[Argument]) -> list[Any]:
        """Run a script. If Redis refuses the command, raise StoreUnavailable: then each process has its own limits."""
        try:
            return await script.run(self._client, [(keys, arguments)])
        except StoreRefused as error:
            _log.warning("%s; limits are kept by each process", error)
            raise StoreUnavailable(str(error)) from error

    def _keys(self, key: str, limits: Sequence[Limit]) -> list[str]:
        owner = hashlib.blake2b(key.encode(), digest_size=16, key=self._pepper).hexdigest()
        return [f"{{limits.{owner}}}:{name}" for name, _, _ in limits]
