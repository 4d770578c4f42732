"""Rate limits on Redis: all processes together allow as much as one process alone."""

import random
import uuid
from collections.abc import AsyncIterator

import pytest

from events.ids import Millis
from infra.local.redis import Redis as RedisEngine
from infra.local.running import Running
from rest.rate_limits import Bucket, LocalRateLimits, RateLimits, RatePolicy, TooMany
from rest.shared_rate_limits import UNAVAILABLE_MS, SharedRateLimits
from stores.redis.connection import Client, connect
from stores.redis.rate_limits import RedisTokenBuckets

pytestmark = pytest.mark.engines

BURST = RatePolicy("tweets-burst", 60, 60, 5)
DAILY = RatePolicy("tweets", 300, 86_400, 7)
BOTH = (DAILY, BURST)


class Clock:
    def __init__(self) -> None:
        self.now = 1_790_000_000_000

    def __call__(self) -> Millis:
        return Millis(self.now)


@pytest.fixture
def clock() -> Clock:
    return Clock()


@pytest.fixture
def pepper() -> bytes:
    """A random pepper, so that tests do not share buckets."""
    return uuid.uuid4().bytes


def shared(client: Client, clock: Clock, pepper: bytes) -> SharedRateLimits:
    return SharedRateLimits(RedisTokenBuckets(client, clock, pepper), LocalRateLimits(clock), clock)


@pytest.fixture
def limits(client: Client, clock: Clock, pepper: bytes) -> SharedRateLimits:
    return shared(client, clock, pepper)


async def said(limits: RateLimits, what: str, policies: tuple[RatePolicy, ...], key: str) -> object:
    """The result of a request: the rest of each bucket, or the refusing bucket and its wait."""
    try:
        answer = await getattr(limits, what)(policies, key)
    except TooMany as refused:
        return refused.bucket.policy.name, refused.bucket.header(), refused.retry_after_s
    return [bucket.header() for bucket in answer] if answer else None


@pytest.mark.parametrize("seed", range(5))
async def test_shared_buckets_allow_what_those_of_one_process_allow(
    limits: SharedRateLimits, clock: Clock, seed: int
) -> None:
    chance, own = random.Random(seed), LocalRateLimits(clock)
    refused = 0
    for _ in range(200):
        clock.now += chance.choice((0, 0, 0, 1, 300, 1000, 70_000))
        what = chance.choices(("take", "check", "give_back"), (8, 2, 1))[0]
        policies, key = chance.choice((BOTH, (BURST,))), chance.choice(("ada", "bob", "2001:db8::1"))
        mine, theirs = await said(own, what, policies, key), await said(limits, what, policies, key)
        assert theirs == mine
        refused += isinstance(mine, tuple)
    assert refused, "it came to a refusal"


async def test_two_processes_share_a_bucket(client: Client, clock: Clock, pepper: bytes) -> None:
    one, two = shared(client, clock, pepper), shared(client, clock, pepper)
    for n in range(5):
        (bucket,) = await (one, two)[n % 2].take((BURST,), "ada")
        assert bucket.tokens == 4 - n
    for limits in (one, two):
        with pytest.raises(TooMany):
            await limits.take((BURST,), "ada")
    await one.take((BURST,), "bob")


async def test_processes_whose_clocks_differ_do_not_refill_a_bucket_twice(client: Client, pepper: bytes) -> None:
    ahead, behind = Clock(), Clock()
    ahead.now += 5000
    one, two = shared(client, ahead, pepper), shared(client, behind, pepper)
    for _ in range(5):
        await one.take((BURST,), "ada")
    for limits in (two, one, two, one):
        with pytest.raises(TooMany):
            await limits.take((BURST,), "ada")


async def test_a_refusal_takes_from_no_bucket(limits: SharedRateLimits) -> None:
    for _ in range(5):
        await limits.take((BURST,), "ada")
    with pytest.raises(TooMany) as refused:
        await limits.take(BOTH, "ada")
    assert refused.value.bucket.policy is BURST
    (daily,) = await limits.take((DAILY,), "ada")
    assert daily.tokens == 6


async def test_a_client_that_waits_as_long_as_it_was_told_is_allowed(limits: SharedRateLimits, clock: Clock) -> None:
    for _ in range(7):
        await limits.take((DAILY,), "ada")
    with pytest.raises(TooMany) as refused:
        await limits.take((DAILY,), "ada")
    clock.now += refused.value.retry_after_s * 1000
    await limits.take((DAILY,), "ada")


async def test_every_refusal_is_reported(limits: SharedRateLimits) -> None:
    told: list[str] = []
    limits.on_refused = told.append
    for _ in range(5):
        await limits.take((BURST,), "ada")
    for _ in range(2):
        with pytest.raises(TooMany):
            await limits.take((BURST,), "ada")
    assert told == ["tweets-burst"] * 2


async def test_a_bucket_expires_when_it_would_be_full_and_does_not_reveal_its_owner(
    client: Client, limits: SharedRateLimits
) -> None:
    before = {key async for key in client.scan_iter(match="{limits.*")}
    await limits.take(BOTH, "login ada@example.org")
    made = {key async for key in client.scan_iter(match="{limits.*")} - before
    assert len(made) == 2
    assert not [key for key in made if b"ada" in key]
    left = sorted([await client.pttl(key) for key in made])
    assert 0 < left[0] <= 1 / BURST.per_ms + 1000
    assert left[0] < left[1] <= 1 / DAILY.per_ms + 1000


async def test_buckets_refill_after_redis_was_wiped(limits: SharedRateLimits, client: Client) -> None:
    for _ in range(5):
        await limits.take((BURST,), "ada")
    await client.delete(*limits._buckets._keys("ada", [("tweets-burst", 5, 1.0)]))  # type: ignore[attr-defined]
    (bucket,) = await limits.take((BURST,), "ada")
    assert bucket.tokens == 4


@pytest.fixture
async def own(running: Running, clock: Clock) -> AsyncIterator[SharedRateLimits]:
    """Rate limits on a server that a test can kill."""
    client = connect(running.up(RedisEngine()).url, timeout_s=0.25)
    yield shared(client, clock, b"own")
    await client.aclose()


async def test_while_redis_is_unavailable_each_process_keeps_buckets_of_its_own(
    own: SharedRateLimits, running: Running, clock: Clock
) -> None:
    told: list[str] = []
    own.on_refused = told.append
    for _ in range(5):
        await own.take((BURST,), "ada")
    running.kill("redis")
    for n in range(5):
        assert (await own.take((BURST,), "ada"))[0].tokens == 4 - n, "the gate is not closed"
    for what in (own.take, own.check):
        with pytest.raises(TooMany):
            await what((BURST,), "ada")
    assert told == ["tweets-burst"] * 2, "nor is it open"
    await own.give_back((BURST,), "ada")
    await own.take((BURST,), "ada")
    running.up(RedisEngine())
    clock.now += UNAVAILABLE_MS
    assert (await own.take((BURST,), "ada"))[0].tokens == 4, "the shared ones are back, and full"


async def test_a_redis_that_does_not_answer_is_tried_once_a_second(
    own: SharedRateLimits, running: Running, clock: Clock
) -> None:
    asked = []
    take = own._buckets.take

    async def counted(*arguments):  # type: ignore[no-untyped-def]
        asked.append(clock.now)
        return await take(*arguments)

    own._buckets.take = counted  # type: ignore[method-assign]
    running.kill("redis")
    for _ in range(10):
        await own.take((RatePolicy("many", 100, 1, 100),), "ada")
    assert len(asked) == 1
    clock.now += UNAVAILABLE_MS
    await own.take((RatePolicy("many", 100, 1, 100),), "ada")
    assert len(asked) == 2


def test_a_full_bucket_reports_that_it_is_full() -> None:
    assert Bucket(BURST, 5, 0).header() == '"tweets-burst";r=5;t=0'
