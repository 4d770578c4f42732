"""The facts of fan-out on Cassandra, in tables of their own, since fan-out has to read its own writes.

A follow is two rows, one by each side. The followers of an account are in one partition, which a delivery reads at
once. Beyond SPREAD_FROM followers, new ones are spread over more partitions. No row is moved: both places are read, and
an unfollow is written to both.
"""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable, Collection, Iterator, Mapping, Sequence

from cachetools import FIFOCache

from events.ids import AccountId, from_bytes, to_bytes

from ..home_timelines import ActivityFact, Entry, FollowFact
from ..pages import Page
from .address import checked
from .home_activities import CassandraActivities
from .session import CassandraSession, Parameters

SPREAD_FROM = 20_000
"""Followers in one partition. It is twice the number from which an author is pulled and followers are not read."""
PARTS = 128
"""A row takes some 40 bytes, so 300 million followers are 128 partitions of 94 MB."""
_AT_ONCE = 16
_MOST_KNOWN = 100_000
_BEFORE_ALL = b""

FollowerCounts = Callable[[Collection[AccountId]], Awaitable[Mapping[AccountId, int]]]
"""Returns numbers of followers. Accounts whose number is unknown now are left out; raises nothing."""


class CassandraFanOutFacts:
    """The Facts port."""

    def __init__(
        self, session: CassandraSession, keyspace: str, counts: FollowerCounts, *, spread_from: int = SPREAD_FROM
    ) -> None:
        self._session = session
        self._counts = counts
        self._spread_from = spread_from
        self._activities = CassandraActivities(session, keyspace)
        name = checked(keyspace)
        self._follow = f"INSERT INTO {name}.fan_out_followees (follower, followee) VALUES (?, ?) USING TIMESTAMP ?"
        self._unfollow = f"DELETE FROM {name}.fan_out_followees USING TIMESTAMP ? WHERE follower=? AND followee=?"
        self._gain = (
            f"INSERT INTO {name}.fan_out_followers (followee, part, follower) VALUES (?, ?, ?) USING TIMESTAMP ?"
        )
        self._lose = (
            f"DELETE FROM {name}.fan_out_followers USING TIMESTAMP ? WHERE followee=? AND part=? AND follower=?"
        )
        self._mark = f"INSERT INTO {name}.fan_out_spread (followee) VALUES (?) USING TIMESTAMP 1"
        self._marked = f"SELECT followee FROM {name}.fan_out_spread WHERE followee IN ?"
        self._first = (
            f"SELECT followee, follower FROM {name}.fan_out_followers WHERE followee IN ? AND part=0"
            " PER PARTITION LIMIT ?"
        )
        self._part = f"SELECT follower FROM {name}.fan_out_followers WHERE followee=? AND part=? AND follower>? LIMIT ?"
        self._followees = f"SELECT follower, followee FROM {name}.fan_out_followees WHERE follower IN ?"
        self._spread: FIFOCache[bytes, None] = FIFOCache(_MOST_KNOWN)
        """A cache of accounts whose followers are spread.

        If one is missing, new followers go to part 0, which is read as well.
        """

    async def write(self, follows: Sequence[FollowFact], activities: Sequence[ActivityFact]) -> None:
        """Write facts. Raises StoreUnavailable."""
        await self._session.write([*self._of_follows(follows), *self._activities.writes(activities)])
        self._activities.written(activities)

    def _of_follows(self, follows: Sequence[FollowFact]) -> Iterator[tuple[str, Parameters]]:
        for fact in follows:
            a, b, written = to_bytes(fact.follower), to_bytes(fact.followee), fact.written
            spread = b in self._spread
            if fact.there:
                yield self._follow, (a, b, written)
                yield self._gain, (b, _part_of(a) if spread else 0, a, written)
            else:
                yield self._unfollow, (written, a, b)
                yield self._lose, (written, b, 0, a)
                if spread:
                    yield self._lose, (written, b, _part_of(a), a)

    async def newest(
        self, before: Mapping[AccountId, str], limit: int, since: str = ""
    ) -> dict[AccountId, list[Entry]]:
        """Return the newest entries of each account, older than its `before`."""
        return await self._activities.newest(before, limit, since)

    async def followers(self, after: Mapping[AccountId, str | None], limit: int) -> dict[AccountId, Page[AccountId]]:
        """Return up to `limit` followers of each account after a cursor (in hexadecimal: a part, a follower)."""
        begun = {account: cursor for account, cursor in after.items() if cursor is not None}
        keys = {to_bytes(account): account for account in after}
        marked, firsts = await asyncio.gather(
            self._session.read_by_keys(self._marked, keys),
            self._session.read_by_keys(
                self._first, [key for key, account in keys.items() if account not in begun], after=(limit + 1,)
            ),
        )
        spread = {followee for (followee,) in marked}
        first: dict[bytes, list[tuple[int, bytes]]] = {}
        for followee, follower in firsts:
            first.setdefault(followee, []).append((0, follower))
        pages: dict[AccountId, Page[AccountId]] = {}
        going_on: list[tuple[AccountId, int, bytes, list[tuple[int, bytes]]]] = []
        for key, account in keys.items():
            found = first.get(key, [])
            if account in begun:
                cursor = bytes.fromhex(begun[account])
                going_on.append((account, cursor[0], cursor[1:], []))
            elif key in spread and len(found) <= limit:
                going_on.append((account, 1, _BEFORE_ALL, found))
            else:
                pages[account] = _page(found, limit)
        rest = await asyncio.gather(
            *(
                self._from(to_bytes(account), part, behind, PARTS if to_bytes(account) in spread else 0, found, limit)
                for account, part, behind, found in going_on
            )
        )
        pages.update((account, page) for (account, *_), page in zip(going_on, rest, strict=True))
        return pages

    async def _from(
        self, followee: bytes, part: int, behind: bytes, last: int, found: list[tuple[int, bytes]], limit: int
    ) -> Page[AccountId]:
        """Continue through the parts until there are enough followers: the cursor's part, then several at once."""
        at_once = 1 if behind else _AT_ONCE
        while part <= last or behind:
            parts = range(part, max(part, min(part + at_once - 1, last)) + 1)
            read = await asyncio.gather(
                *(
                    self._session.read(self._part, (followee, n, behind if n == part else _BEFORE_ALL, limit + 1))
                    for n in parts
                )
            )
            found += ((n, follower) for n, rows in zip(parts, read, strict=True) for (follower,) in rows)
            if len(found) > limit:
                break
            part, behind, at_once = parts[-1] + 1, b"", _AT_ONCE
        return _page(found, limit)

    async def followees(self, accounts: Collection[AccountId]) -> dict[AccountId, list[AccountId]]:
        """Return the accounts that each account follows."""
        found: dict[AccountId, list[AccountId]] = {}
        rows = await self._session.read_by_keys(self._followees, [to_bytes(account) for account in accounts])
        for follower, followee in rows:
            found.setdefault(AccountId(from_bytes(follower)), []).append(AccountId(from_bytes(followee)))
        return found

    async def follower_counts(self, accounts: Collection[AccountId]) -> dict[AccountId, int]:
        """Return the approximate number of followers of each account. Accounts whose number is unknown are left out."""
        counts = dict(await self._counts(accounts))
        many = [to_bytes(account) for account, count in counts.items() if count >= self._spread_from]
        new = [key for key in many if key not in self._spread]
        if new:
            # Write the mark before any follower is spread: a reader that finds no mark then has read part 0 before all
            # of them.
            await self._session.write([(self._mark, (key,)) for key in new])
            self._spread.update(dict.fromkeys(new))
        return counts


def _part_of(follower: bytes) -> int:
    return 1 + follower[-1] % PARTS


def _page(found: Sequence[tuple[int, bytes]], limit: int) -> Page[AccountId]:
    """Return the first `limit` followers, and the cursor of the last one if there are more."""
    items = [AccountId(from_bytes(follower)) for _, follower in found[:limit]]
    if len(found) <= limit:
        return Page(items, None)
    part, follower = found[limit - 1]
    return Page(items, f"{part:02x}{follower.hex()}")
