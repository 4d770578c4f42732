"""The digest of counters: equal for equal counters, different for any difference."""

import uuid
from collections.abc import AsyncIterator
from typing import Protocol

import pytest

from projectors.counts import Counts
from runtime.processor_group import Group, Runner
from stores.redis.connection import Client
from stores.redis.counts import RedisCountRows
from stores.redis.digest import digest, remove
from stores.redis.sink import RedisKeys, RedisSink
from tests.stores.redis_counting import Log, community, place_of

pytestmark = pytest.mark.engines


class Count(Protocol):
    """Counts the events in batches of `limit`, and returns the keys."""

    async def __call__(self, limit: int, slots: int = 3) -> RedisKeys: ...


@pytest.fixture
async def counted(client: Client) -> AsyncIterator[Count]:
    """Count a community's events under a prefix of their own, in batches of some size."""
    made: list[RedisKeys] = []

    async def count(limit: int, slots: int = 3) -> RedisKeys:
        keys = RedisKeys(f"digest-{uuid.uuid4().hex}", slots)
        made.append(keys)
        log = Log(community(3).records)
        log.open = 1.0
        sink = RedisSink(client, keys, place_of=place_of, ends=log.ends, new_epoch=lambda: uuid.uuid4().hex)
        await Runner(Group("counts", [Counts(RedisCountRows(sink))], [], sink), log, limit).catch_up()
        return keys

    yield count
    for keys in made:
        await remove(client, keys)


async def test_batches_and_names_make_no_difference(client: Client, counted: Count) -> None:
    one, other = await counted(7), await counted(100)
    rows, found = await digest(client, one)
    assert rows > 10
    assert (rows, found) == await digest(client, other)


def _counts(value: bytes | str) -> bool:
    """Whether a value of a hash is a number. Others are names and marks."""
    return (value.lstrip(b"-") if isinstance(value, bytes) else value.lstrip("-")).isdigit()


@pytest.mark.parametrize("kind", ["t", "a", "by-followers"])
async def test_one_changed_number_changes_the_digest(client: Client, counted: Count, kind: str) -> None:
    keys = await counted(50)
    rows, before = await digest(client, keys)
    found = [key async for key in client.scan_iter(match=f"{keys.all}:{kind}*")]
    if kind.startswith("by-"):
        [member] = await client.zrange(found[0], 0, 0)
        assert isinstance(member, bytes)
        await client.zincrby(found[0], 1, member)
    else:
        fields = [
            (key, field) for key in found for field, value in (await client.hgetall(key)).items() if _counts(value)
        ]
        await client.hincrby(*fields[0], 1)
    after = await digest(client, keys)
    assert after[0] == rows
    assert after[1] != before


async def test_removing_deletes_all_keys_of_one_generation_and_no_others(client: Client, counted: Count) -> None:
    one, other = await counted(50), await counted(50)
    before = await digest(client, other)
    await remove(client, one)
    assert [key async for key in client.scan_iter(match=one.all)] == []
    assert await digest(client, other) == before
