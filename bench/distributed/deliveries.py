"""Deliveries into home timelines: the whole fan-out, and its last step, beside the driver alone."""

from __future__ import annotations

import itertools
import time
from collections.abc import AsyncIterator, Collection, Mapping, Sequence
from contextlib import asynccontextmanager

from events.graph import AccountFollowed
from events.ids import AccountId, ActivityId, TweetId, timestamp
from projectors.fan_out import FanOut
from stores.cassandra.address import Address
from stores.cassandra.home_facts import CassandraFanOutFacts
from stores.cassandra.home_rows import CassandraHomeTimelineRows
from stores.cassandra.session import CassandraSession
from stores.home_timelines import Delivery, Entry

from ..figures import Figure
from .bench import Bench
from .made_up import MadeUp
from .raw_cassandra import IN_A_BATCH, rows_a_second
from .town import FOLLOWERS

AUTHORS, READERS = 100, 2_000
BATCH = 100
"""Tweets of one batch, 10,000 deliveries: few enough that a short run has several."""
TARGET = 15_000


async def _nobody_is_busy(accounts: Collection[AccountId]) -> Mapping[AccountId, int]:
    return dict.fromkeys(accounts, FOLLOWERS)


async def measure(bench: Bench) -> AsyncIterator[Figure]:
    """Measure rows a second into Cassandra. They are durable: its commit log is synced first (infra/local)."""
    async with bench.installation() as installation, _session(installation.generations.address) as session:
        keyspace = installation.generations.address.keyspace
        rows = CassandraHomeTimelineRows(session, keyspace)
        fan_out = FanOut(CassandraFanOutFacts(session, keyspace, _nobody_is_busy), rows)
        made = MadeUp(AUTHORS + READERS)
        authors, readers = made.accounts[:AUTHORS], made.accounts[AUTHORS:]
        chosen = itertools.cycle(readers)
        follows = [
            AccountFollowed(follower=next(chosen), followee=author) for author in authors for _ in range(FOLLOWERS)
        ]
        for start in range(0, len(follows), 1_000):
            await fan_out.apply([made.record(follow) for follow in follows[start : start + 1_000]])
        await _fanned_out(fan_out, made, authors, bench.seconds / 3)  # the JVM is not warm yet
        through = await _fanned_out(fan_out, made, authors, bench.seconds)
        delivered = await _delivered(rows, made, readers, bench.seconds)
        singly, in_batches = await rows_a_second(installation.generations.address, bench.seconds)
    name = f"the driver, {IN_A_BATCH} rows of a partition a batch"
    yield Figure("deliveries through fan-out", through, "rows/s", TARGET, limit=in_batches, limit_name=name)
    yield Figure("deliveries alone", delivered, "rows/s", TARGET, limit=in_batches, limit_name=name)
    yield Figure(
        "deliveries alone, beside single inserts",
        delivered,
        "rows/s",
        TARGET,
        limit=singly,
        limit_name="the driver, a row an insert",
    )


async def _fanned_out(fan_out: FanOut, made: MadeUp, authors: Sequence[AccountId], seconds: float) -> float:
    """Post tweets and deliver them to the followers and the author; return rows a second."""
    number, began = 0, time.perf_counter()
    while (elapsed := time.perf_counter() - began) < seconds:
        await fan_out.apply([made.record(made.tweet(authors[n % AUTHORS])) for n in range(BATCH)])
        number += BATCH * (FOLLOWERS + 1)
    return number / elapsed


async def _delivered(
    rows: CassandraHomeTimelineRows, made: MadeUp, readers: Sequence[AccountId], seconds: float
) -> float:
    """Write deliveries that are computed already; return rows a second."""
    number, began = 0, time.perf_counter()
    while (elapsed := time.perf_counter() - began) < seconds:
        deliveries = []
        for n in range(BATCH):
            id_ = made.ids.issue()
            entry = Entry(ActivityId(id_), TweetId(id_), readers[n], None, timestamp(id_))
            deliveries += [Delivery(reader, entry) for reader in readers[n * 17 : n * 17 + FOLLOWERS]]
        await rows.deliver(deliveries)
        number += len(deliveries)
    return number / elapsed


@asynccontextmanager
async def _session(address: Address) -> AsyncIterator[CassandraSession]:
    session = await CassandraSession.connect(address)
    try:
        yield session
    finally:
        await session.close()
