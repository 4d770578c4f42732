"""The graph on Cassandra: facts by the acting account, and lists by time, which are checked against the facts.

A follow takes three writes, an unfollow one: the event does not say when the follow began, so the lists keep its rows
and readers filter them. Blocks against a viewer are read from the rows of the blocking accounts, since a partition with
all accounts that block one viewer would be unbounded. The facts of one account are one partition: a person makes them
one by one, so it stays small.
"""

from __future__ import annotations

import asyncio
from collections.abc import Collection, Sequence

from events.ids import AccountId, from_bytes, to_bytes

from ..graph import NO_BARRIERS, NOBODY_UNSEEN, STRANGERS, Barriers, Graph, GraphRows, Relation, Unseen
from ..pages import Page
from .address import checked
from .buckets import DAY_MS, MONTH_MS, ListedRows, Listing, ListingReader, Shown
from .model import Model
from .session import CassandraSession, Row
from .sink import CassandraSink

FOLLOWING = Listing("following", ("account",), "at", ("other",), MONTH_MS)
FOLLOWERS = Listing("followers", ("account",), "at", ("other",), DAY_MS)
BARRIERS = Listing("barriers_by_time", ("account", "kind"), "at", ("other",), MONTH_MS)
BLOCKING, MUTING = 1, 3
MOST_BARRIERS = 1_000
"""Accounts with more barriers are not cached; their barriers are read one by one."""


class CassandraGraphRows:
    """The GraphRows port."""

    def __init__(self, sink: CassandraSink, keyspace: str) -> None:
        self._sink = sink
        self._following = ListedRows(sink, keyspace, FOLLOWING)
        self._followers = ListedRows(sink, keyspace, FOLLOWERS)
        self._barriers = ListedRows(sink, keyspace, BARRIERS)
        name = checked(keyspace)
        self._follow = f"INSERT INTO {name}.follows (follower, followee, at) VALUES (?, ?, ?) USING TIMESTAMP ?"
        self._unfollow = f"DELETE FROM {name}.follows USING TIMESTAMP ? WHERE follower=? AND followee=?"
        self._raise = f"INSERT INTO {name}.barriers (account, other, kind, at) VALUES (?, ?, ?, ?) USING TIMESTAMP ?"
        self._lower = f"DELETE FROM {name}.barriers USING TIMESTAMP ? WHERE account=? AND other=? AND kind=?"

    def followed(self, follower: AccountId, followee: AccountId, at: str) -> None:
        """Add a follow."""
        a, b = to_bytes(follower), to_bytes(followee)
        self._sink.write(self._follow, a, b, to_bytes(at), self._sink.stamp)
        self._following.put((a,), at, b)
        self._followers.put((b,), at, a)

    def unfollowed(self, follower: AccountId, followee: AccountId) -> None:
        """Remove a follow."""
        self._sink.write(self._unfollow, self._sink.stamp, to_bytes(follower), to_bytes(followee))

    def blocked(self, blocker: AccountId, blocked: AccountId, at: str) -> None:
        """Add a block."""
        self._up(blocker, blocked, BLOCKING, at)

    def unblocked(self, blocker: AccountId, blocked: AccountId) -> None:
        """Remove a block."""
        self._down(blocker, blocked, BLOCKING)

    def muted(self, owner: AccountId, muted: AccountId, at: str) -> None:
        """Add a mute."""
        self._up(owner, muted, MUTING, at)

    def unmuted(self, owner: AccountId, muted: AccountId) -> None:
        """Remove a mute."""
        self._down(owner, muted, MUTING)

    def _up(self, account: AccountId, other: AccountId, kind: int, at: str) -> None:
        a, b = to_bytes(account), to_bytes(other)
        self._sink.write(self._raise, a, b, kind, to_bytes(at), self._sink.stamp)
        self._barriers.put((a, kind), at, b)

    def _down(self, account: AccountId, other: AccountId, kind: int) -> None:
        self._sink.write(self._lower, self._sink.stamp, to_bytes(account), to_bytes(other), kind)


class CassandraGraph:
    """The Graph port."""

    def __init__(self, session: CassandraSession, keyspace: str) -> None:
        self._session = session
        self._following = ListingReader(session, keyspace, FOLLOWING)
        self._followers = ListingReader(session, keyspace, FOLLOWERS)
        self._barriers = ListingReader(session, keyspace, BARRIERS)
        name = checked(keyspace)
        self._followed = f"SELECT followee, at FROM {name}.follows WHERE follower=? AND followee IN ?"
        self._followed_by = f"SELECT follower, at FROM {name}.follows WHERE follower IN ? AND followee=?"
        self._behind = f"SELECT other, at, kind FROM {name}.barriers WHERE account=? AND other IN ?"
        self._blocked_by = f"SELECT account FROM {name}.barriers WHERE account IN ? AND other=? AND kind={BLOCKING}"
        self._followees = f"SELECT followee FROM {name}.follows WHERE follower=?"
        self._barriers_of = (
            f"SELECT account, other, kind FROM {name}.barriers WHERE account IN ?"
            f" PER PARTITION LIMIT {MOST_BARRIERS + 1}"
        )

    async def relations(self, viewer: AccountId, others: Collection[AccountId]) -> dict[AccountId, Relation]:
        """Return the relation of `viewer` to each of the others. Accounts without any relation are left out."""
        key, keys = to_bytes(viewer), [to_bytes(other) for other in others]
        read = self._session.read_by_keys
        followed, followed_by, behind, blocked_by = await asyncio.gather(
            read(self._followed, keys, key),
            read(self._followed_by, keys, after=(key,)),
            read(self._behind, keys, key),
            read(self._blocked_by, keys, after=(key,)),
        )
        following, followers = {row[0] for row in followed}, {row[0] for row in followed_by}
        blockers = {row[0] for row in blocked_by}
        barriers = {(other, kind) for other, _, kind in behind}
        relations = {
            other: Relation(
                k in following, k in followers, (k, BLOCKING) in barriers, k in blockers, (k, MUTING) in barriers
            )
            for other, k in zip(others, keys, strict=True)
        }
        return {other: relation for other, relation in relations.items() if relation != STRANGERS}

    async def unseen(self, viewer: AccountId, others: Collection[AccountId]) -> Unseen:
        """Return the accounts among `others` that are hidden from `viewer`."""
        key, keys = to_bytes(viewer), [to_bytes(other) for other in others]
        behind, blocked_by = await asyncio.gather(
            self._session.read_by_keys(self._behind, keys, key),
            self._session.read_by_keys(self._blocked_by, keys, after=(key,)),
        )
        if not behind and not blocked_by:
            return NOBODY_UNSEEN
        blocked = {row[0] for row in blocked_by} | {other for other, _, kind in behind if kind == BLOCKING}
        muted = {other for other, _, kind in behind if kind == MUTING}
        return Unseen(frozenset(map(_account, blocked)), frozenset(map(_account, muted)))

    async def barriers(self, accounts: Collection[AccountId]) -> dict[AccountId, Barriers]:
        """Return the blocks and mutes of each account, without accounts that have more than MOST_BARRIERS."""
        found: dict[bytes, list[Row]] = {to_bytes(account): [] for account in accounts}
        for row in await self._session.read_by_keys(self._barriers_of, found):
            found[row[0]].append(row)
        return {
            account: Barriers(
                frozenset(_account(other) for _, other, kind in rows if kind == BLOCKING),
                frozenset(_account(other) for _, other, kind in rows if kind == MUTING),
            )
            if rows
            else NO_BARRIERS
            for account, rows in zip(accounts, found.values(), strict=True)
            if len(rows) <= MOST_BARRIERS
        }

    async def followees(self, account: AccountId) -> list[AccountId]:
        """Return all accounts that an account follows."""
        return [_account(key) for (key,) in await self._session.read(self._followees, (to_bytes(account),))]

    async def followers(self, account: AccountId, before: str | None, limit: int) -> Page[AccountId]:
        """Return a page of the accounts that follow an account."""
        key = to_bytes(account)

        async def shown(rows: Sequence[Row]) -> list[bool]:
            facts = await self._session.read_by_keys(self._followed_by, {other for _, other in rows}, after=(key,))
            return _standing(rows, facts)

        return await self._page(self._followers, (key,), before, limit, shown)

    async def following(self, account: AccountId, before: str | None, limit: int) -> Page[AccountId]:
        """Return a page of the accounts that an account follows."""
        key = to_bytes(account)

        async def shown(rows: Sequence[Row]) -> list[bool]:
            return _standing(rows, await self._session.read_by_keys(self._followed, {other for _, other in rows}, key))

        return await self._page(self._following, (key,), before, limit, shown)

    async def blocks(self, account: AccountId, before: str | None, limit: int) -> Page[AccountId]:
        """Return a page of the accounts that an account blocks."""
        return await self._barriers_page(account, BLOCKING, before, limit)

    async def mutes(self, account: AccountId, before: str | None, limit: int) -> Page[AccountId]:
        """Return a page of the accounts that an account mutes."""
        return await self._barriers_page(account, MUTING, before, limit)

    async def _barriers_page(self, account: AccountId, kind: int, before: str | None, limit: int) -> Page[AccountId]:
        key = to_bytes(account)

        async def shown(rows: Sequence[Row]) -> list[bool]:
            facts = await self._session.read_by_keys(self._behind, {other for _, other in rows}, key)
            return _standing(rows, [fact for fact in facts if fact[2] == kind])

        return await self._page(self._barriers, (key, kind), before, limit, shown)

    async def _page(
        self, listed: ListingReader, owner: tuple[bytes | int, ...], before: str | None, limit: int, shown: Shown
    ) -> Page[AccountId]:
        rows, next_ = await listed.page(owner, before, limit, shown)
        return Page([_account(other) for _, other in rows], next_)


def _standing(rows: Sequence[Row], facts: Sequence[Row]) -> list[bool]:
    """Return for each row of a list (time, account) whether a fact (account, time, ...) confirms it."""
    since = {fact[0]: fact[1] for fact in facts}
    return [since.get(other) == at for at, other in rows]


def _account(key: bytes) -> AccountId:
    return AccountId(from_bytes(key))


MODEL: Model[GraphRows, Graph] = Model(
    ("follows", "following", "followers", "barriers", "barriers_by_time"), CassandraGraphRows, CassandraGraph
)
