"""Feeds from Cassandra equal their definition, for a random community and with two workers that interfere."""

from __future__ import annotations

import asyncio
import random
from collections import Counter
from collections.abc import Collection, Iterator
from functools import partial

import pytest
from hypothesis import given
from hypothesis import strategies as st

from events.ids import AccountId
from events.log import Positions, TopicPartition, positions_after
from projectors.fan_out import FanOut
from projectors.graph import Graph
from query_api.filling import fill
from runtime.processor_group import Group
from stores.cassandra.digest import BUCKETS, OF_FAN_OUT
from stores.cassandra.graph import MODEL as GRAPH
from stores.cassandra.graph import CassandraGraphRows
from stores.cassandra.home_facts import CassandraFanOutFacts
from stores.cassandra.home_rows import CassandraHomeTimelineRows
from stores.cassandra.home_timelines import CassandraHomeTimelines
from stores.cassandra.sink import CassandraSink
from stores.composed.home_feed import HybridHomeFeed
from stores.home_timelines import SMALL, FanOutTier
from stores.user_timelines import Activity
from tests.community import Community
from tests.histories import histories
from tests.simulation.fan_out.community import PartitionedLog
from tests.simulation.fan_out.definition import told
from tests.simulation.fan_out.workers import KEEPING, LIMITS
from tests.simulation.fan_out.world import PLACES
from tests.stores.on_cassandra import OnCassandra
from tests.stores.test_cassandra_read_models import few

pytestmark = pytest.mark.engines

SHALLOW = LIMITS._replace(depth=2)
"""A low limit of activities for each follow, so that floors rise."""
SEEDS = st.integers(0, 2**32).map(random.Random)


@pytest.fixture(scope="module")
def kept(cassandra: str) -> Iterator[OnCassandra]:
    kept = OnCassandra(cassandra, only=("landing", "graph", "home_timelines"))
    yield kept
    kept.close()


class Feeds:
    """Two workers that share partitions, are replaced, and read records again from earlier positions."""

    def __init__(self, kept: OnCassandra, community: Community, chance: random.Random) -> None:
        self.session, self.keyspace = kept.session, kept.address.keyspace
        self.community, self.chance = community, chance
        self.log = PartitionedLog()
        for record in community.records:
            self.log.append(record)
            if chance.random() < 0.1:
                self.log.append(record)
        self.state = told(self.log.everything())
        self.rows = CassandraHomeTimelineRows(self.session, self.keyspace, KEEPING)

    async def counts(self, accounts: Collection[AccountId]) -> dict[AccountId, int]:
        followees = Counter(followee for _, followee in self.state.follows)
        known = (account for account in accounts if self.chance.random() < 0.8)
        return {account: followees[account] + self.chance.randint(-1, 1) for account in known}

    async def graph(self) -> None:
        sink = CassandraSink(self.session, self.keyspace, "graph")
        await Group("graph", [Graph(CassandraGraphRows(sink, self.keyspace))], [], sink).apply(
            self.community.records, Positions()
        )

    async def commit(self) -> None:
        for account in self.community.accounts:
            if self.chance.random() < 0.3:
                await self.rows.move(account, SMALL, FanOutTier.PULLED)
        shares = (PLACES[::2], PLACES[1::2])
        await asyncio.gather(*(self._work(share) for share in shares))

    async def _work(self, places: list[TopicPartition]) -> None:
        ends = Positions((place, end) for place, end in self.log.ends().items() if place in places)
        facts = CassandraFanOutFacts(self.session, self.keyspace, self.counts)
        while True:
            worker = FanOut(facts, self.rows, lambda: self.community.now, SHALLOW, KEEPING)
            at = await worker.resume(places)
            if at.covers(ends):
                return
            at = Positions((place, max(0, next_ - self.chance.choice((0, 0, 3)))) for place, next_ in at.items())
            for _ in range(self.chance.choice((1, 2, 5))):
                batch = []
                for place in self.chance.sample(places, len(places)):
                    start = at.get(place, 0)
                    batch += self.log.partitions[place][start : start + self.chance.choice((0, 1, 3, 20))]
                await worker.apply(batch)
                at = positions_after(batch, at)

    async def feed(self, viewer: AccountId, limit: int) -> list[Activity]:
        clock = lambda: self.community.now  # noqa: E731
        timelines = CassandraHomeTimelines(self.session, self.keyspace, clock)
        feed = HybridHomeFeed(timelines, clock, KEEPING)
        found: list[Activity] = []
        before: str | None = None
        while True:
            page = await fill(partial(feed.page, viewer), partial(self._shown, viewer), before, limit)
            found += page.items
            before = page.next
            if before is None:
                return found

    async def _shown(self, viewer: AccountId, activities: list[Activity]) -> list[Activity]:
        return [activity for activity in activities if self.state.sees(viewer, activity)]


@few(max_examples=8)
@given(histories(most=120), st.integers(1, 5), SEEDS)
def test_every_feed_is_its_definition_with_duplicates_and_several_workers(
    kept: OnCassandra, community: Community, limit: int, chance: random.Random
) -> None:
    async def check() -> None:
        await kept.empty([*OF_FAN_OUT, *GRAPH.tables, BUCKETS, "positions", "newest"])
        committing = Feeds(kept, community, chance)
        await committing.graph()
        await committing.commit()
        for viewer in community.accounts:
            assert await committing.feed(viewer, limit) == committing.state.feed(viewer)

    kept.run(check())
