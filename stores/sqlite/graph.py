"""The graph on SQLite.

Follows are clustered by follower, which is the order of the home feed's join; two indexes give the lists, newest first.
Blocks and mutes share one table, in which a block has a row for each of the two accounts. So all barriers between a
viewer and another account are one look-up.
"""

from __future__ import annotations

from collections.abc import Collection, Mapping
from typing import Any

import apsw

from events.ids import AccountId, to_bytes

from ..graph import NOBODY_UNSEEN, STRANGERS, Graph, GraphRows, Relation, Unseen
from ..pages import Page
from .binding import key_before, number_of, numbers, page_of
from .buffered import writer
from .model import Model
from .views import Tables

GRAPH = Tables(
    model="graph",
    version=1,
    tables={
        "follows": """(
            follower INTEGER, followee INTEGER, at BLOB NOT NULL, PRIMARY KEY (follower, followee)) WITHOUT ROWID""",
        "barriers": """(
            account INTEGER, other INTEGER,
            kind INTEGER,  -- 1: account blocks other, 2: account is blocked by other, 3: account mutes other
            at BLOB NOT NULL, PRIMARY KEY (account, other, kind)) WITHOUT ROWID""",
    },
    indexes=(
        "CREATE INDEX following_{generation} ON {follows} (follower, at DESC)",
        "CREATE INDEX followers_{generation} ON {follows} (followee, at DESC)",
        "CREATE INDEX barriers_by_kind_{generation} ON {barriers} (account, kind, at DESC)",
    ),
)
BLOCKING, BLOCKED_BY, MUTING = 1, 2, 3


class SqliteGraphRows:
    """The GraphRows port."""

    def __init__(self, connection: apsw.Connection, names: Mapping[str, str]) -> None:
        self._write = writer(connection)
        self._follow = "INSERT OR REPLACE INTO {follows} VALUES (?, ?, ?)".format(**names)
        self._unfollow = "DELETE FROM {follows} WHERE follower=? AND followee=?".format(**names)
        self._raise = "INSERT OR REPLACE INTO {barriers} VALUES (?, ?, ?, ?)".format(**names)
        self._lower = "DELETE FROM {barriers} WHERE account=? AND other=? AND kind=?".format(**names)

    def followed(self, follower: AccountId, followee: AccountId, at: str) -> None:
        """Add a follow."""
        self._write(self._follow, (number_of(follower), number_of(followee), to_bytes(at)))

    def unfollowed(self, follower: AccountId, followee: AccountId) -> None:
        """Remove a follow."""
        self._write(self._unfollow, (number_of(follower), number_of(followee)))

    def blocked(self, blocker: AccountId, blocked: AccountId, at: str) -> None:
        """Add a block."""
        a, b, key = number_of(blocker), number_of(blocked), to_bytes(at)
        self._write(self._raise, (a, b, BLOCKING, key))
        self._write(self._raise, (b, a, BLOCKED_BY, key))

    def unblocked(self, blocker: AccountId, blocked: AccountId) -> None:
        """Remove a block."""
        a, b = number_of(blocker), number_of(blocked)
        self._write(self._lower, (a, b, BLOCKING))
        self._write(self._lower, (b, a, BLOCKED_BY))

    def muted(self, owner: AccountId, muted: AccountId, at: str) -> None:
        """Add a mute."""
        self._write(self._raise, (number_of(owner), number_of(muted), MUTING, to_bytes(at)))

    def unmuted(self, owner: AccountId, muted: AccountId) -> None:
        """Remove a mute."""
        self._write(self._lower, (number_of(owner), number_of(muted), MUTING))


class SqliteGraph:
    """The Graph port."""

    def __init__(self, connection: apsw.Connection, names: Mapping[str, str]) -> None:
        self._execute = connection.execute
        self._relations = """
            SELECT (SELECT id FROM {users} WHERE number=value),
                EXISTS (SELECT 1 FROM {follows} WHERE follower=?1 AND followee=value),
                EXISTS (SELECT 1 FROM {follows} WHERE follower=value AND followee=?1),
                EXISTS (SELECT 1 FROM {barriers} WHERE account=?1 AND other=value AND kind=1),
                EXISTS (SELECT 1 FROM {barriers} WHERE account=?1 AND other=value AND kind=2),
                EXISTS (SELECT 1 FROM {barriers} WHERE account=?1 AND other=value AND kind=3)
            FROM carray(?2)""".format(**names)
        self._unseen = """
            SELECT (SELECT id FROM {users} WHERE number=other), kind
            FROM carray(?2) CROSS JOIN {barriers} ON account=?1 AND other=value
            WHERE EXISTS (SELECT 1 FROM {barriers} WHERE account=?1)""".format(**names)  # mostly none
        self._followees = """
            SELECT id FROM {follows} CROSS JOIN {users} ON number=followee WHERE follower=?""".format(**names)
        page = "SELECT (SELECT id FROM {{users}} WHERE number={}), at FROM {} AND at<? ORDER BY at DESC LIMIT ?"
        self._followers = page.format("follower", "{follows} WHERE followee=?").format(**names)
        self._following = page.format("followee", "{follows} WHERE follower=?").format(**names)
        self._barriers = page.format("other", "{barriers} WHERE account=? AND kind=?").format(**names)

    async def relations(self, viewer: AccountId, others: Collection[AccountId]) -> dict[AccountId, Relation]:
        """Return the relation of `viewer` to each of the others. Accounts without any relation are left out."""
        if not others:
            return {}
        rows: Any = self._execute(self._relations, (number_of(viewer), numbers(others)))
        relations = ((row[0], Relation._make(map(bool, row[1:]))) for row in rows)
        return {id_: relation for id_, relation in relations if relation != STRANGERS and id_ is not None}

    async def unseen(self, viewer: AccountId, others: Collection[AccountId]) -> Unseen:
        """Return the accounts among `others` that are hidden from `viewer`."""
        if not others:
            return NOBODY_UNSEEN
        rows: Any = self._execute(self._unseen, (number_of(viewer), numbers(others))).fetchall()
        if not rows:
            return NOBODY_UNSEEN
        return Unseen(
            frozenset(id_ for id_, kind in rows if kind != MUTING),
            frozenset(id_ for id_, kind in rows if kind == MUTING),
        )

    async def followees(self, account: AccountId) -> list[AccountId]:
        """Return all accounts that an account follows."""
        return [AccountId(str(row[0])) for row in self._execute(self._followees, (number_of(account),))]

    async def followers(self, account: AccountId, before: str | None, limit: int) -> Page[AccountId]:
        """Return a page of the accounts that follow an account."""
        return self._page(self._followers, account, before, limit)

    async def following(self, account: AccountId, before: str | None, limit: int) -> Page[AccountId]:
        """Return a page of the accounts that an account follows."""
        return self._page(self._following, account, before, limit)

    async def blocks(self, account: AccountId, before: str | None, limit: int) -> Page[AccountId]:
        """Return a page of the accounts that an account blocks."""
        return self._barriers_page(account, BLOCKING, before, limit)

    async def mutes(self, account: AccountId, before: str | None, limit: int) -> Page[AccountId]:
        """Return a page of the accounts that an account mutes."""
        return self._barriers_page(account, MUTING, before, limit)

    def _page(self, sql: str, account: AccountId, before: str | None, limit: int) -> Page[AccountId]:
        rows: Any = self._execute(sql, (number_of(account), key_before(before), limit + 1)).fetchall()
        return page_of(rows, limit)

    def _barriers_page(self, account: AccountId, kind: int, before: str | None, limit: int) -> Page[AccountId]:
        bindings = (number_of(account), kind, key_before(before), limit + 1)
        rows: Any = self._execute(self._barriers, bindings).fetchall()
        return page_of(rows, limit)


MODEL: Model[GraphRows, Graph] = Model(GRAPH, SqliteGraphRows, SqliteGraph)
