"""Fan-out as a worker hosts it: home timelines go on from where they stand themselves, in every partition."""

from __future__ import annotations

from collections.abc import Collection, Mapping, Sequence

from events.ids import AccountId, Clock, wall_clock
from events.log import Positions, Record, TopicPartition
from projectors.fan_out import FanOut
from projectors.tiers import Limits
from stores.cassandra.home_facts import CassandraFanOutFacts, FollowerCounts
from stores.cassandra.home_rows import CassandraHomeTimelineRows
from stores.cassandra.session import CassandraSession
from stores.counts import NO_ACCOUNT_COUNTS
from stores.home_timelines import Keeping, Progress
from stores.redis.counts import RedisCounts
from stores.sink import SinkMoved, StoreUnavailable

from .groups import HOME


class FanningOut:
    """One worker's fan-out. `partitions` is how many each topic has."""

    name = HOME
    topics = FanOut.topics()

    def __init__(self, fan_out: FanOut, partitions: int) -> None:
        self._fan_out = fan_out
        self._places = [TopicPartition(topic, n) for topic in sorted(self.topics) for n in range(partitions)]

    async def positions(self) -> Positions:
        """How far everything has landed, whoever landed it; asked on every assignment. Raises StoreUnavailable.

        It also is what `apply` skips, and where a fan-out that another worker left in the middle goes on.
        """
        return await self._fan_out.resume(self._places)

    async def apply(self, records: Sequence[Record], positions: Positions) -> None:
        """Land one batch; what has landed already is noted event by event. Raises StoreUnavailable."""
        await self._fan_out.apply(records)

    async def idle(self) -> bool:
        """Look whether everything that has landed is still there. Raises SinkMoved, StoreUnavailable."""
        landed = self._fan_out.landed
        found = await self._fan_out.rows.progress(landed)
        if any(found.get(place, Progress()).offset < progress.offset for place, progress in landed.items()):
            raise SinkMoved(f"{self.name} is behind where it was left: its timelines are lost, or are from the past")
        return False

    async def close(self) -> None:
        """Session and counters are others' as well."""


def fanning_out(
    session: CassandraSession,
    keyspace: str,
    counts: RedisCounts,
    partitions: int,
    *,
    clock: Clock = wall_clock,
    limits: Limits | None = None,
    keeping: Keeping | None = None,
) -> FanningOut:
    """Fan-out into Cassandra, by the counters in Redis."""
    facts = CassandraFanOutFacts(session, keyspace, follower_counts(counts))
    rows = CassandraHomeTimelineRows(session, keyspace, keeping)
    return FanningOut(FanOut(facts, rows, clock, limits, keeping), partitions)


def follower_counts(counts: RedisCounts) -> FollowerCounts:
    """Numbers of followers, while the counters are whole: nobody's tier changes because they were lost or are away."""

    async def of(accounts: Collection[AccountId]) -> Mapping[AccountId, int]:
        try:
            _, stale = await counts.positions()
            if stale:
                return {}
            found = await counts.of_accounts(accounts)
        except StoreUnavailable:
            return {}
        return {account: found.get(account, NO_ACCOUNT_COUNTS).followers for account in accounts}

    return of
