"""Fan-out as a worker's group: it continues from the progress that home timelines store for each partition."""

from __future__ import annotations

from collections.abc import Callable, Collection, Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from events.event import Envelope
from events.first_copies import Entity
from events.fitting import Mark, Marks
from events.ids import AccountId, Clock, wall_clock
from events.log import Positions, Record, TopicPartition
from projectors.fan_out import FanOut
from projectors.tiers import FanOutLimits
from runtime.processor_group import Group
from stores.cassandra.home_facts import CassandraFanOutFacts, FollowerCounts
from stores.cassandra.home_rows import CassandraHomeTimelineRows
from stores.cassandra.session import CassandraSession
from stores.counts import NO_ACCOUNT_COUNTS
from stores.groups import HOME
from stores.home_timelines import FanOutProgress, Keeping
from stores.redis.counts import RedisCounts
from stores.sink import UNKNOWN, SinkMoved, StoreUnavailable


class FanOutSink:
    """The Sink port over a worker's fan-out, which writes to the stores of home timelines itself."""

    def __init__(self, fan_out: FanOut, partitions: int) -> None:
        self._fan_out = fan_out
        self._places = [TopicPartition(topic, n) for topic in sorted(FanOut.topics()) for n in range(partitions)]

    async def positions(self) -> Positions:
        """Return the committed positions, of whatever worker; read at every assignment. Raises StoreUnavailable.

        A batch skips events before them, and continues a fan-out that another worker left unfinished.
        """
        return await self._fan_out.resume(self._places)

    async def marks(self) -> Marks:
        """Return the positions without event ids: other groups of the keyspace identify the log."""
        return {place: Mark(offset) for place, offset in (await self.positions()).items()}

    async def newest(self, entities: Iterable[Entity]) -> dict[Entity, str]:
        """Return nothing: each write is guarded by its event's time."""
        return {}

    async def begin(self) -> None:
        """Start a batch."""
        self._fan_out.begin()

    def applying(self, about: Envelope, at: Record | None) -> None:
        """Set the record that causes the next requests."""
        assert at is not None, "nothing is derived here"
        self._fan_out.applying(at)

    async def commit(
        self, positions: Positions, newest: Mapping[Entity, str], last: Mapping[TopicPartition, str] = UNKNOWN
    ) -> None:
        """Commit the batch. Raises StoreUnavailable."""
        await self._fan_out.commit(positions)

    async def abandon(self) -> None:
        """Drop the batch; nothing of it was sent."""
        self._fan_out.begin()

    async def check(self) -> None:
        """Check that the committed progress is still there. Raises SinkMoved, StoreUnavailable."""
        applied = self._fan_out.applied
        found = await self._fan_out.rows.progress(applied)
        if any(found.get(place, FanOutProgress()).offset < progress.offset for place, progress in applied.items()):
            raise SinkMoved("Cassandra")

    async def close(self) -> None:
        """Do nothing: session and counters are shared."""


@dataclass
class FanOutGroup(Group):
    """Fan-out as a group. Progress is stored for each event, so a batch skips events that are done."""

    unapplied: Callable[[Iterable[Record]], list[Record]] = list

    async def apply(self, records: Sequence[Record], positions: Positions) -> int:
        """Commit one batch. Raises the errors of Group.apply."""
        return await super().apply(self.unapplied(records), positions)


def fan_out_group(
    session: CassandraSession,
    keyspace: str,
    counts: RedisCounts,
    partitions: int,
    *,
    clock: Clock = wall_clock,
    limits: FanOutLimits | None = None,
    keeping: Keeping | None = None,
) -> FanOutGroup:
    """Return the fan-out into Cassandra, which uses the follower counts in Redis."""
    facts = CassandraFanOutFacts(session, keyspace, follower_counts(counts))
    rows = CassandraHomeTimelineRows(session, keyspace, keeping)
    fan_out = FanOut(facts, rows, clock, limits, keeping)
    processors: list[Any] = [fan_out]  # it has a projector's handlers, but no read model
    return FanOutGroup(HOME, processors, [], FanOutSink(fan_out, partitions), unapplied=fan_out.unapplied)


def follower_counts(counts: RedisCounts) -> FollowerCounts:
    """Return numbers of followers if the counters are complete: lost or unreachable counters must change no tier."""

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
