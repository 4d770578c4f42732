"""Every key in Redis has an owner and a bound: docs/reference/redis-keys.md is compared with the keys of a run."""

import re
from collections import Counter
from collections.abc import AsyncIterator
from pathlib import Path
from typing import NamedTuple

import pytest
from redis import Redis

from events.ids import wall_clock
from infra.local.redis import Redis as RedisEngine
from infra.local.running import Running
from projectors.trends import Trends
from rest.rate_limits import LocalRateLimits, RatePolicy
from rest.shared_rate_limits import SharedRateLimits
from stores.redis.connection import Client, connect
from stores.redis.counts import NAME
from stores.redis.rankings import RedisRankings
from stores.redis.rate_limits import RedisTokenBuckets
from tests.stores.redis_counting import Log, Worker, community

pytestmark = pytest.mark.engines

ROOT = Path(__file__).resolve().parents[2]


class Row(NamedTuple):
    """A row of the table."""

    key: str
    type: str
    owner: str
    holds: str
    bound: str
    ttl: str

    def matches(self, key: str) -> bool:
        literal = re.split(r"<\w+>", self.key)
        return re.fullmatch(r"[^{}:]+".join(map(re.escape, literal)), key) is not None


ROWS = [
    Row(*(cell.strip().strip("`") for cell in line.strip("|\n").split(" | ")))
    for line in (ROOT / "docs" / "reference" / "redis-keys.md").read_text().splitlines()
    if line.startswith("| `{")
]
TYPES = {"sorted set": "zset"}
"""Types of keys, by their names in Redis."""
NOT_LEFT = {f"{{{NAME}.state}}:emptying"}
"""Keys that are deleted when their operation ends."""


@pytest.fixture
async def client(running: Running) -> AsyncIterator[Client]:
    """A server for this test alone, so that all its keys come from the run."""
    made = connect(running.up(RedisEngine()).url)
    yield made
    await made.aclose()


def row_of(key: str) -> Row:
    # `state` and partitions have names that a slot has not: the most exact row is the one.
    found = [row for row in ROWS if row.matches(key)]
    assert found, f"{key} is in no row of docs/reference/redis-keys.md"
    slot, partition = [row for row in found if "<slot>" in row.key], [row for row in found if "<partition>" in row.key]
    if slot and partition:
        return (slot if re.search(r"\.\d+\}", key) else partition)[0]
    (one,) = found
    return one


async def test_every_key_that_is_left_after_a_run_is_in_the_table_with_its_type_and_bound(client: Client) -> None:
    made = community(1, steps=400)
    log = Log(made.records)
    log.open = 1
    await Worker(client, log, NAME).work()
    clock = wall_clock
    limits = SharedRateLimits(RedisTokenBuckets(client, clock, b"pepper"), LocalRateLimits(clock), clock)
    for key in ("ada", "2001:db8::1", "login {ada}@example.org"):
        await limits.take((RatePolicy("tweets", 300, 86_400, 5), RatePolicy("tweets-burst", 60, 60, 5)), key)
    await RedisRankings(client, f"{Trends.model}@{Trends.version}").put("24h", None, b"{}", 60.0)
    found: Counter[Row] = Counter()
    async for key in client.scan_iter(count=1000):
        row = row_of(key.decode())
        found[row] += 1
        kind = await client.type(key)
        assert isinstance(kind, bytes)
        assert kind.decode() == TYPES.get(row.type, row.type)
        assert (await client.ttl(key) > 0) == (row.ttl != "none"), key
    assert {row.key for row in ROWS} - {row.key for row in found} == NOT_LEFT, "a row says something that is not there"
    count = {row.key: n for row, n in found.items()}
    assert count[f"{{{NAME}.<slot>}}:held"] == len(Worker(client, log, NAME).sink.keys.slots)
    assert count[f"{{{NAME}.<slot>}}:t:<id>"] <= len(made.tweets)
    assert count[f"{{{NAME}.<slot>}}:a:<id>"] <= len(made.accounts)
    assert count[f"{{{NAME}.<slot>}}:by-followers"] <= len(Worker(client, log, NAME).sink.keys.slots)
    assert count["{limits.<owner>}:<limit>"] == 6


async def test_the_lease_for_emptying_expires_and_is_deleted_at_the_end(client: Client, running: Running) -> None:
    (row,) = [row for row in ROWS if row.key in NOT_LEFT]
    worker = Worker(client, Log([]), NAME)
    note = running.note("redis")
    assert note is not None
    seen = []

    def new_epoch() -> str:
        with Redis.from_url(note.url) as beside:
            seen.append((beside.type(row.key).decode(), beside.ttl(row.key)))
        return "an epoch"

    worker.sink._new_epoch = new_epoch
    await worker.sink.positions()
    ((type_, ttl),) = seen
    assert type_ == row.type
    assert 0 < ttl <= int(row.ttl.removesuffix(" s"))
    assert await client.exists(row.key) == 0


def test_a_key_has_one_owner() -> None:
    for row in ROWS:
        assert (ROOT / row.owner).is_file()
    assert len({row.key for row in ROWS}) == len(ROWS)
