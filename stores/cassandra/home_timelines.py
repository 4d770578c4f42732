"""Reads of home timelines on Cassandra. A page takes three round trips if the viewer follows busy accounts.

The followees are read from fan-out's own facts, so that a page reflects one state of one group of processors. The mutes
are read from the graph: fan-out does not need them, and a mute that is applied later takes effect later.
"""

from __future__ import annotations

import asyncio
import time
from collections.abc import Callable, Collection, Mapping

from events.ids import AccountId, ActivityId, Clock, Millis, TweetId, first_id_at, from_bytes, to_bytes, wall_clock

from ..home_timelines import STALE_MS, Entry, FanOutTier, Viewing
from .address import checked
from .graph import MUTING
from .home_activities import CassandraActivities
from .home_rows import TIER_SHARDS, bucket_of, shard_of
from .session import CassandraSession, Row

_AHEAD_MS = 600_000
"""Activities may lie in the future by the difference of clocks."""
_WAVES = (2, 12, 84)
"""Buckets read at once, while there are too few rows: 8 hours, two days, two weeks, and the rest of 30 days."""


class CassandraHomeTimelines:
    """The HomeTimelines port. `clock` is the wall clock, `timer` a monotonic clock in seconds."""

    def __init__(
        self,
        session: CassandraSession,
        keyspace: str,
        clock: Clock = wall_clock,
        timer: Callable[[], float] = time.monotonic,
    ) -> None:
        self._session = session
        self._clock = clock
        self._timer = timer
        self._activities = CassandraActivities(session, keyspace)
        name = checked(keyspace)
        self._tiers = f"SELECT account, kind FROM {name}.home_tiers WHERE shard IN ?"
        self._followees = f"SELECT followee FROM {name}.fan_out_followees WHERE follower=?"
        self._barriers = f"SELECT other, kind FROM {name}.barriers WHERE account=?"
        self._floor = f"SELECT floor, whole FROM {name}.home_floors WHERE viewer=?"
        self._rows = (
            f"SELECT activity, author, tweet, reply_to, WRITETIME(author) FROM {name}.home_timelines"
            " WHERE shard=? AND bucket IN ? AND viewer=? AND activity<? AND activity>=? PER PARTITION LIMIT ?"
        )
        self._pulled: frozenset[AccountId] = frozenset()
        self._pulled_at = float("-inf")
        self._looking = asyncio.Lock()

    async def pulled(self) -> frozenset[AccountId]:
        """Return all authors whose tier is not PUSHED. Raises StoreUnavailable."""
        if self._old():
            async with self._looking:
                if self._old():
                    started = self._timer()
                    rows = await self._session.read(self._tiers, (list(range(TIER_SHARDS)),))
                    self._pulled = frozenset(
                        AccountId(from_bytes(key)) for key, kind in rows if kind != FanOutTier.PUSHED
                    )
                    self._pulled_at = started
        return self._pulled

    def _old(self) -> bool:
        return self._timer() - self._pulled_at >= STALE_MS / 1000

    async def viewing(self, viewer: AccountId) -> Viewing:
        """Return the viewer's followees and mutes, and the floor of its timeline. Raises StoreUnavailable."""
        key = (to_bytes(viewer),)
        read = self._session.read
        followees, barriers, floors = await asyncio.gather(
            read(self._followees, key), read(self._barriers, key), read(self._floor, key)
        )
        floor = floors[0][0] if floors and floors[0][1] else None
        return Viewing(
            [AccountId(from_bytes(followee)) for (followee,) in followees],
            frozenset(AccountId(from_bytes(other)) for other, kind in barriers if kind == MUTING),
            from_bytes(floor) if floor is not None else None,
        )

    async def read(
        self,
        viewer: AccountId,
        rows: tuple[str, str] | None,
        row_limit: int,
        before: Mapping[AccountId, str],
        limit: int,
    ) -> tuple[list[Entry], dict[AccountId, list[Entry]]]:
        """Return the newest rows of a range of the timeline, and the newest entries of accounts.

        Raises StoreUnavailable.
        """
        found, pages = await asyncio.gather(
            self._range(to_bytes(viewer), rows, row_limit), self._activities.newest(before, limit, "")
        )
        return found, pages

    async def _range(self, viewer: bytes, rows: tuple[str, str] | None, limit: int) -> list[Entry]:
        if rows is None:
            return []
        below, since = rows
        newest = bucket_of(min(below, first_id_at(Millis(self._clock() + _AHEAD_MS))))
        buckets = list(range(newest, bucket_of(since) - 1, -1))
        found: list[Row] = []
        wave = 0
        while buckets and len(found) < limit:
            size = _WAVES[min(wave, len(_WAVES) - 1)]
            part, buckets, wave = buckets[:size], buckets[size:], wave + 1
            found += await self._session.read(
                self._rows, (shard_of(viewer), part, viewer, to_bytes(below), to_bytes(since), limit)
            )
        found.sort(key=_activity, reverse=True)
        return [_entry(row) for row in found[:limit]]

    async def present(self, entries: Collection[Entry]) -> frozenset[ActivityId]:
        """Return the activities that still exist. Raises StoreUnavailable."""
        return await self._activities.present(entries)


def _activity(row: Row) -> bytes:
    key: bytes = row[0]
    return key


def _entry(row: Row) -> Entry:
    activity, author, tweet, reply_to, written = row
    id_ = from_bytes(activity)
    return Entry(
        ActivityId(id_),
        TweetId(id_ if tweet is None else from_bytes(tweet)),
        AccountId(from_bytes(author)),
        AccountId(from_bytes(reply_to)) if reply_to is not None else None,
        written,
    )
