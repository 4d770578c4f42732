"""The activities that fan-out reads, by account and 30 days, for many accounts at a time.

To read the newest of 50 accounts takes two requests, and one more for each earlier period of 30 days that is needed.
"""

from __future__ import annotations

import asyncio
from collections.abc import Collection, Iterator, Mapping, Sequence

from cachetools import FIFOCache

from events.ids import AccountId, ActivityId, TweetId, from_bytes, millis, to_bytes

from ..home_timelines import ActivityFact, Entry
from .address import checked
from .buckets import MONTH_MS
from .session import CassandraSession, Parameters, Row

MOST_KNOWN = 100_000
"""Accounts whose month is known to be in the index; some 150 bytes each."""
_FIRST = b"\x00" * 16


class CassandraActivities:
    """Writes activities with the timestamps of their events, and reads them."""

    def __init__(self, session: CassandraSession, keyspace: str) -> None:
        self._session = session
        name = checked(keyspace)
        self._insert = (
            f"INSERT INTO {name}.fan_out_activities (account, month, activity, tweet, reply_to) VALUES (?, ?, ?, ?, ?)"
            " USING TIMESTAMP ?"
        )
        self._delete = (
            f"DELETE FROM {name}.fan_out_activities USING TIMESTAMP ? WHERE account=? AND month=? AND activity=?"
        )
        self._index = f"INSERT INTO {name}.fan_out_months (account, month) VALUES (?, ?) USING TIMESTAMP ?"
        self._months = f"SELECT account, month FROM {name}.fan_out_months WHERE account IN ?"
        self._rows = (
            f"SELECT account, activity, tweet, reply_to, WRITETIME(tweet) FROM {name}.fan_out_activities"
            " WHERE account IN ? AND month=? AND activity<? AND activity>=? PER PARTITION LIMIT ?"
        )
        self._there = f"SELECT activity FROM {name}.fan_out_activities WHERE account IN ? AND month=? AND activity IN ?"
        self._known: FIFOCache[tuple[bytes, int], None] = FIFOCache(MOST_KNOWN)

    def writes(self, facts: Sequence[ActivityFact]) -> Iterator[tuple[str, Parameters]]:
        """Yield the writes for these facts."""
        for entry, there, written in facts:
            account, month, activity = to_bytes(entry.by), _month(entry.activity), to_bytes(entry.activity)
            if not there:
                yield self._delete, (written, account, month, activity)
                continue
            reply_to = to_bytes(entry.reply_to) if entry.reply_to else None
            yield self._insert, (account, month, activity, to_bytes(entry.tweet), reply_to, written)
            if (account, month) not in self._known:
                yield self._index, (account, month, written)

    def written(self, facts: Sequence[ActivityFact]) -> None:
        """Note that these facts are durable, so that their months are not written to the index again."""
        known = {(to_bytes(f.entry.by), _month(f.entry.activity)) for f in facts if f.there}
        self._known.update(dict.fromkeys(known))

    async def newest(self, before: Mapping[AccountId, str], limit: int, since: str) -> dict[AccountId, list[Entry]]:
        """Return the newest `limit` entries of each account, older than its `before`, down to `since` included."""
        found: dict[bytes, list[Entry]] = {to_bytes(account): [] for account in before}
        below = {to_bytes(account): cut for account, cut in before.items()}
        left = await self._months_of(below, _month(since) if since else 0)
        lowest = to_bytes(since) if since else _FIRST
        while left:
            alike: dict[tuple[int, str], list[bytes]] = {}
            for account, months in left.items():
                alike.setdefault((months[0], below[account]), []).append(account)
            read = self._session.read_by_keys
            parts = await asyncio.gather(
                *(
                    read(self._rows, accounts, after=(month, to_bytes(cut), lowest, limit))
                    for (month, cut), accounts in alike.items()
                )
            )
            for rows in parts:
                for row in rows:
                    found[row[0]].append(_entry(row))
            left = {
                account: months[1:]
                for account, months in left.items()
                if len(months) > 1 and len(found[account]) < limit
            }
        return {account: found[to_bytes(account)][:limit] for account in before}

    async def present(self, entries: Collection[Entry]) -> frozenset[ActivityId]:
        """Return the activities that exist.

        One request for all activities of a month reads the partitions of their authors.
        """
        months: dict[int, list[Entry]] = {}
        for entry in entries:
            months.setdefault(_month(entry.activity), []).append(entry)
        found = await asyncio.gather(
            *(
                self._session.read_by_keys(
                    self._there,
                    {to_bytes(entry.by) for entry in those},
                    after=(month, [to_bytes(entry.activity) for entry in those]),
                )
                for month, those in months.items()
            )
        )
        return frozenset(ActivityId(from_bytes(activity)) for rows in found for (activity,) in rows)

    async def _months_of(self, below: Mapping[bytes, str], oldest: int) -> dict[bytes, list[int]]:
        """Return the months in which each account has activities, newest first, between the bounds."""
        months: dict[bytes, list[int]] = {}
        for account, month in await self._session.read_by_keys(self._months, below):
            if oldest <= month <= _month(below[account]):
                months.setdefault(account, []).append(month)
        return months


def _month(activity: str) -> int:
    return millis(activity) // MONTH_MS


def _entry(row: Row) -> Entry:
    account, activity, tweet, reply_to, written = row
    return Entry(
        ActivityId(from_bytes(activity)),
        TweetId(from_bytes(tweet)),
        AccountId(from_bytes(account)),
        AccountId(from_bytes(reply_to)) if reply_to is not None else None,
        written,
    )
