"""Home timelines on Cassandra: deliveries, floors, tiers, and the progress of fan-out.

Many timelines share a partition (shard of the viewer, bucket of the activity's time), so that deliveries are written in
batches of a hundred rows of one partition: one request, one mutation. The rows of a viewer are a range in it. At 15,000
deliveries a second all day long a partition has 3.4 million rows of some 50 bytes; at 1,000, the rate of a million
users, it has 11 MB. Deliveries are packed here and not by the driver, which takes longer to bind a row than the node to
write it.
"""

from __future__ import annotations

import asyncio
import struct
from collections.abc import Collection, Iterable, Iterator, Mapping, Sequence
from functools import lru_cache
from typing import NamedTuple

from cassandra.query import UNSET_VALUE, BatchStatement, BatchType, BoundStatement, PreparedStatement

from events.ids import AccountId, Millis, from_bytes, millis, timestamp, to_bytes
from events.log import TopicPartition

from ..home_timelines import SMALL, Delivery, Entry, FanOutProgress, FanOutTier, Keeping, Tier
from .address import checked
from .session import CassandraSession

SHARDS = 64
"""Fewer shards give fuller batches, more give smaller partitions. A change makes all existing timelines unreadable."""
BUCKET_MS = 4 * 3_600_000
TIER_SHARDS = 16
REMEMBERED = 50_000
"""Viewers whose binary key is cached, some 10 MB."""
_IN_A_BATCH = 100
_LITTLE, _PARTITIONS = 32, 10
"""Rows and partitions in a batch of several partitions. With more of either the node logs a warning."""
_short, _int, _long = struct.Struct(">b").pack, struct.Struct(">i").pack, struct.Struct(">q").pack

_ALL = slice(None)

Packed = tuple[object, ...]
"""The values that an activity's rows share, serialized, in the order of the statement."""


class Partition(NamedTuple):
    """The deliveries into one partition: `viewers` and `activities` are parallel lists."""

    shard: bytes
    bucket: bytes
    viewers: list[bytes]
    activities: list[Packed]


def shard_of(viewer: bytes) -> int:
    """Return the shard of a timeline; ids end in random bits."""
    return viewer[-1] % SHARDS


def bucket_of(activity: str) -> int:
    """Return the bucket of an activity."""
    return millis(activity) // BUCKET_MS


class CassandraHomeTimelineRows:
    """The HomeTimelineRows port."""

    def __init__(self, session: CassandraSession, keyspace: str, keeping: Keeping | None = None) -> None:
        self._session = session
        name = checked(keyspace)
        ttl = (keeping or Keeping()).kept_ms // 1000
        self._deliver = (
            f"INSERT INTO {name}.home_timelines (shard, bucket, viewer, activity, author, tweet, reply_to)"
            f" VALUES (?, ?, ?, ?, ?, ?, ?) USING TIMESTAMP ? AND TTL {ttl}"
        )
        self._raise = f"INSERT INTO {name}.home_floors (viewer, floor) VALUES (?, ?) USING TIMESTAMP ?"
        self._trust = f"INSERT INTO {name}.home_floors (viewer, floor, whole) VALUES (?, ?, true) USING TIMESTAMP ?"
        self._trusted = f"SELECT viewer, whole FROM {name}.home_floors WHERE viewer IN ?"
        self._tiers = f"SELECT account, kind, since, change FROM {name}.home_tiers WHERE shard=? AND account IN ?"
        now = "toUnixTimestamp(now())"
        self._first_move = (
            f"INSERT INTO {name}.home_tiers (shard, account, kind, since, change) VALUES (?, ?, ?, {now}, 1)"
            " IF NOT EXISTS"
        )
        self._move = (
            f"UPDATE {name}.home_tiers SET kind=?, since={now}, change=? WHERE shard=? AND account=?"
            " IF change=? AND kind=? AND since=?"
        )
        self._progress = (
            f"SELECT topic, partition, next, after FROM {name}.home_progress WHERE topic=? AND partition IN ?"
        )
        self._note = (
            f"INSERT INTO {name}.home_progress (topic, partition, next, after) VALUES (?, ?, ?, ?) USING TIMESTAMP ?"
        )

    async def deliver(self, deliveries: Sequence[Delivery]) -> None:
        """Put entries into timelines. Raises StoreUnavailable."""
        statement = await self._session.prepared(self._deliver)
        await self._session.request(_batches(statement, _grouped(deliveries)))

    async def raise_floors(self, floors: Mapping[AccountId, str]) -> None:
        """Raise the floors of timelines. Raises StoreUnavailable."""
        await self._session.write(
            (self._raise, (to_bytes(account), to_bytes(floor), timestamp(floor))) for account, floor in floors.items()
        )

    async def trust(self, floors: Mapping[AccountId, str]) -> None:
        """Raise the floors of timelines, and mark them as complete from there upwards. Raises StoreUnavailable."""
        await self._session.write(
            (self._trust, (to_bytes(account), to_bytes(floor), timestamp(floor))) for account, floor in floors.items()
        )

    async def trusted(self, accounts: Collection[AccountId]) -> frozenset[AccountId]:
        """Return the accounts whose timelines are marked as complete."""
        rows = await self._session.read_by_keys(self._trusted, [to_bytes(account) for account in accounts])
        return frozenset(AccountId(from_bytes(viewer)) for viewer, whole in rows if whole)

    async def tiers(self, accounts: Collection[AccountId]) -> dict[AccountId, Tier]:
        """Return the current tiers of the accounts. Accounts whose tier is SMALL are left out."""
        shards: dict[int, list[bytes]] = {}
        for account in accounts:
            key = to_bytes(account)
            shards.setdefault(_tier_shard(key), []).append(key)
        found = await asyncio.gather(
            *(self._session.read_by_keys(self._tiers, keys, shard) for shard, keys in shards.items())
        )
        return {
            AccountId(from_bytes(account)): Tier(FanOutTier(kind), Millis(since), change)
            for rows in found
            for account, kind, since, change in rows
        }

    async def move(self, account: AccountId, seen: Tier, to: FanOutTier) -> bool:
        """Change a tier if it is still `seen`. Raises StoreUnavailable; the tier may have changed nevertheless."""
        key = to_bytes(account)
        shard = _tier_shard(key)
        if seen == SMALL:
            return await self._session.write_if(self._first_move, (shard, key, to.value))
        return await self._session.write_if(
            self._move, (to.value, seen.change + 1, shard, key, seen.change, seen.kind.value, seen.since)
        )

    async def progress(self, places: Iterable[TopicPartition]) -> dict[TopicPartition, FanOutProgress]:
        """Return the progress of each partition. Partitions without any progress are left out."""
        wanted: dict[str, list[int]] = {}
        for place in places:
            wanted.setdefault(place.topic, []).append(place.partition)
        found: dict[TopicPartition, FanOutProgress] = {}
        for topic, partitions in wanted.items():
            for name, partition, next_, after in await self._session.read_by_keys(self._progress, partitions, topic):
                found[TopicPartition(name, partition)] = FanOutProgress(next_, after or None)
        return found

    async def note(self, progress: Mapping[TopicPartition, FanOutProgress]) -> None:
        """Write progress. Raises StoreUnavailable."""
        # A missing `after` is written as the least text: a null would be a deletion, and win over any value.
        await self._session.write(
            (self._note, (place.topic, place.partition, reached.offset, reached.after or "", reached.offset))
            for place, reached in progress.items()
        )


def _tier_shard(account: bytes) -> int:
    return account[-1] % TIER_SHARDS


def _grouped(deliveries: Sequence[Delivery]) -> list[Partition]:
    """Group deliveries by partition.

    No object is made for each delivery, since the garbage collector would traverse it.
    """
    partitions: dict[int, Partition] = {}
    last: Entry | None = None
    for viewer, entry in deliveries:
        if entry is not last:  # deliveries come grouped by entry
            last, (bucket, activity) = entry, _packed(entry)
        key, shard = _timeline(viewer)
        place = bucket * SHARDS + shard
        partition = partitions.get(place)
        if partition is None:
            partition = partitions[place] = Partition(_short(shard), _int(bucket), [], [])
        partition.viewers.append(key)
        partition.activities.append(activity)
    return list(partitions.values())


@lru_cache(maxsize=REMEMBERED)
def _timeline(viewer: AccountId) -> tuple[bytes, int]:
    key = to_bytes(viewer)
    return key, shard_of(key)


def _packed(entry: Entry) -> tuple[int, Packed]:
    return bucket_of(entry.activity), (
        to_bytes(entry.activity),
        to_bytes(entry.by),
        to_bytes(entry.tweet) if entry.retweet else UNSET_VALUE,
        to_bytes(entry.reply_to) if entry.reply_to is not None else UNSET_VALUE,
        _long(entry.written),
    )


def _batches(statement: PreparedStatement, partitions: Iterable[Partition]) -> Iterator[BatchStatement]:
    """Yield batches lazily: of one partition if it has many rows, of several partitions with few rows."""
    little: list[Partition] = []
    rows = 0
    for partition in partitions:
        size = len(partition.viewers)
        if size > _LITTLE // 2:
            for start in range(0, size, _IN_A_BATCH):
                yield _batch(statement, [partition], slice(start, start + _IN_A_BATCH))
            continue
        if len(little) == _PARTITIONS or rows + size > _LITTLE:
            yield _batch(statement, little)
            little, rows = [], 0
        little.append(partition)
        rows += size
    if little:
        yield _batch(statement, little)


def _batch(statement: PreparedStatement, partitions: Iterable[Partition], part: slice = _ALL) -> BatchStatement:
    batch = BatchStatement(BatchType.UNLOGGED)
    batch.is_idempotent = True
    bound = BoundStatement(statement)  # one for all: the batch copies the values, and routes by the first
    for shard, bucket, viewers, activities in partitions:
        for viewer, activity in zip(viewers[part], activities[part], strict=True):
            bound.values = [shard, bucket, viewer, *activity]
            batch.add(bound)
    return batch
