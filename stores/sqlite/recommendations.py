"""Recommendations on SQLite: computed for each request from the rows of the graph and the counters; 3 to 5 ms."""

from __future__ import annotations

from array import array
from collections.abc import Collection, Mapping
from typing import Any

import apsw

from events.ids import AccountId, account_number

from ..pages import Page
from ..recommendations import MOST_CANDIDATES, MOST_FRIENDS, MOST_OF_EACH, Candidate, best_of


class SqliteRecommendations:
    """The Recommendations port."""

    def __init__(self, connection: apsw.Connection, names: Mapping[str, str]) -> None:
        self._execute = connection.execute
        self._friends_of_friends = """
            WITH friends AS MATERIALIZED (
                SELECT followee AS friend FROM {follows} WHERE follower=?1 ORDER BY at DESC LIMIT ?2)
            SELECT followee, count(*) AS common FROM friends CROSS JOIN {follows} ON follower=friend AND at >= coalesce(
                (SELECT at FROM {follows} AS f WHERE f.follower=friend ORDER BY f.at DESC LIMIT 1 OFFSET ?3 - 1), x'')
            WHERE followee NOT IN (SELECT followee FROM {follows} WHERE follower=?1)
            GROUP BY followee ORDER BY common DESC, followee LIMIT ?4""".format(**names)
        self._most_followed = """
            SELECT account FROM {account_counts} WHERE followers > 0 ORDER BY followers DESC, account LIMIT ?
            """.format(**names)
        self._eligible = """
            SELECT value, id, coalesce(followers, 0)
            FROM carray(?2) CROSS JOIN {users} ON number=value LEFT JOIN {account_counts} ON account=value
            WHERE value<>?1 AND NOT EXISTS (SELECT 1 FROM {follows} WHERE follower=?1 AND followee=value)
                AND NOT EXISTS (SELECT 1 FROM {barriers} AS b WHERE b.account=?1 AND other=value)""".format(**names)

    async def for_account(self, account: AccountId, before: str | None, limit: int) -> Page[AccountId]:
        """Return a page of accounts to follow, best first."""
        viewer = account_number(account)
        bounds = (viewer, MOST_FRIENDS, MOST_OF_EACH, MOST_CANDIDATES)
        rows: Any = self._execute(self._friends_of_friends, bounds).fetchall()
        common: dict[int, int] = dict(rows)
        followed: Any = self._execute(self._most_followed, (MOST_CANDIDATES,)).fetchall()
        those = self._those_eligible(viewer, {*common, *(row[0] for row in followed)})
        candidates = (Candidate(id_, common.get(number, 0), followers) for number, id_, followers in those)
        return best_of(candidates, before, limit)

    def _those_eligible(self, viewer: int, candidates: Collection[int]) -> list[tuple[int, AccountId, int]]:
        if not candidates:
            return []
        rows: Any = self._execute(self._eligible, (viewer, apsw.carray(array("q", candidates)))).fetchall()
        found: list[tuple[int, AccountId, int]] = rows
        return found
