"""Fan-out in workers: a worker continues where another stopped, and lost counters change no tier."""

from __future__ import annotations

import uuid
from collections.abc import Iterator
from random import Random
from typing import Any, cast

import pytest

from events.ids import AccountId
from events.log import Positions, Record, positions_after
from projectors.fan_out import FanOut
from runtime.distributed.models.catalogue import TOPICS
from runtime.distributed.models.groups import count_keys
from runtime.distributed.roles.hosted_fan_out import FanOutGroup, fan_out_group, follower_counts
from stores.cassandra.home_facts import CassandraFanOutFacts
from stores.cassandra.home_rows import CassandraHomeTimelineRows
from stores.home_timelines import SMALL, FanOutTier
from stores.redis.connection import connect
from stores.redis.counts import RedisCounts
from stores.redis.sink import RedisKeys
from tests.community import Community
from tests.simulation.fan_out.community import PARTITIONS, PartitionedLog
from tests.simulation.fan_out.workers import KEEPING, LIMITS
from tests.stores.link import Link
from tests.stores.on_cassandra import OnCassandra
from tests.stores.redis_counting import SLOTS, Log, Worker

pytestmark = pytest.mark.engines


@pytest.fixture(scope="module")
def kept(cassandra: str) -> Iterator[OnCassandra]:
    kept = OnCassandra(cassandra, only=("landing", "graph", "home_timelines"))
    yield kept
    kept.close()


def crowd(followers: int) -> Community:
    """An account that many follow, and that posts."""
    community = Community()
    star = community.register()
    for _ in range(followers):
        community.follow(community.register(), star)
    for n in range(20):
        community.post(star, n)
    return community


def test_what_it_reads_is_what_fan_out_handles() -> None:
    nobody = cast(Any, object())
    group = fan_out_group(nobody, "keyspace", nobody, PARTITIONS)
    assert group.topics == FanOut.topics()
    assert {"accounts", "tweets", "engagement", "graph"} <= group.topics
    assert group.name not in TOPICS


def test_a_worker_continues_from_the_stored_progress_of_any_worker(kept: OnCassandra, redis: str) -> None:
    community = crowd(3)
    log = PartitionedLog()
    for record in community.records:
        log.append(record)
    ends = Positions((place, end) for place, end in log.ends().items() if place.topic in FanOut.topics())

    async def check() -> None:
        client = connect(redis)
        counts = RedisCounts(client, count_keys(uuid.uuid4().hex))

        def worker() -> FanOutGroup:
            return fan_out_group(
                kept.session,
                kept.address.keyspace,
                counts,
                PARTITIONS,
                clock=lambda: community.now,
                limits=LIMITS,
                keeping=KEEPING,
            )

        first, second = worker(), worker()
        assert await first.sink.positions() == await second.sink.positions()
        chance, turn, applied = Random(2), 0, 0
        while not (at := await (first, second)[turn].sink.positions()).covers(ends):
            batch: list[Record] = []
            for place in ends:
                start = at.get(place, 0)
                batch += log.partitions[place][max(0, start - 1) : start + chance.randrange(3)]
            reached = positions_after(batch, at)
            await (first, second)[turn].apply(batch, reached)
            applied += 1
            turn = chance.randrange(2)
            assert Positions(await (first, second)[turn].sink.positions()).covers(reached)
        assert applied > 3
        there = await first.sink.positions()
        assert there == await second.sink.positions()
        assert Positions((place, offset) for place, offset in there.items() if offset) == ends
        await client.aclose()

    kept.run(check())


async def test_followers_are_read_from_complete_counters_and_never_guessed(redis: str) -> None:
    community = crowd(5)
    star, fan = community.accounts[:2]
    name = f"counts-{uuid.uuid4().hex[:12]}@1"
    keys = RedisKeys(name, SLOTS)
    link = Link("127.0.0.1", int(redis.rpartition(":")[2].partition("/")[0]))
    client, over_link = connect(redis), connect(f"redis://127.0.0.1:{link.port}/0", timeout_s=0.5)
    of = follower_counts(RedisCounts(over_link, keys))
    assert await of([star, fan]) == {}

    log = Log(community.records)
    log.open = 1
    await Worker(client, log, name).work()
    assert await of([star, fan]) == {star: 5, fan: 0}

    link.cut()
    assert await of([star, fan]) == {}
    link.mend()
    assert await of([star, fan]) == {star: 5, fan: 0}

    await client.delete(*[key async for key in client.scan_iter(match=keys.all)])
    assert await of([star, fan]) == {}
    await client.aclose()
    await over_link.aclose()
    link.close()


def test_no_tier_changes_while_counters_are_unknown(kept: OnCassandra) -> None:
    community = crowd(6)
    star = community.accounts[0]

    async def unknown(accounts: object) -> dict[AccountId, int]:
        return {}

    async def check() -> None:
        rows = CassandraHomeTimelineRows(kept.session, kept.address.keyspace, KEEPING)
        facts = CassandraFanOutFacts(kept.session, kept.address.keyspace, unknown)
        await rows.move(star, SMALL, FanOutTier.PULLED)
        worker = FanOut(facts, rows, lambda: community.now, LIMITS, KEEPING)
        await worker.resume([])
        await worker.apply(community.records)
        assert (await rows.tiers([star]))[star].kind is FanOutTier.PULLED

    kept.run(check())
