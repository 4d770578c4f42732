"""The home feed on SQLite: its definition as one merge on read, over follows and user timelines.

`ORDER BY activity DESC LIMIT n` over a join of the accounts followed with a table clustered by (account, activity
DESC): once n rows are at hand, SQLite leaves an account's range at its first row that is older than all of them. So
the cost is about one seek an account, not the length of the timelines, wherever the page stands. CROSS JOIN keeps the
planner from turning the join round (docs/adr: home feed).

Most asked for is the first page, and its n newest activities are of the n accounts whose newest activity is newest.
Those are found in a table of one short row an account, which stays in the processor's caches where the timelines do
not; only their timelines are then merged.

The rule for replies is applied outside, to the rows merged, so that a followee who only replies costs no more than
another.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import apsw

from events.ids import AccountId, account_number, from_bytes

from ..pages import Page
from ..user_timelines import Activity
from .binding import key_before
from .user_timelines import activity_of

MOST_MERGES = 4
"""For one page; after that it stays short, and its cursor goes on."""

MERGE = """
SELECT (SELECT id FROM {{users}} WHERE number=account), activity, tweet,
    reply_to IS NULL OR reply_to=?1 OR EXISTS (SELECT 1 FROM {{follows}} WHERE follower=?1 AND followee=reply_to)
FROM (
    SELECT t.account, t.activity, t.tweet, t.reply_to
    FROM ({accounts}) AS f CROSS JOIN {{user_timelines}} AS t ON t.account=f.account AND t.activity<?2 {bound}
    ORDER BY t.activity DESC LIMIT ?3
)"""
"""`?1` the viewer, `?2` the key to go on below, `?3` how many rows."""
FOLLOWED = "SELECT ?1 AS account UNION ALL SELECT followee FROM {follows} WHERE follower=?1"
NOT_MUTED = " AND followee NOT IN (SELECT other FROM {barriers} WHERE account=?1 AND kind=3)"
NEWEST = """
WITH newest AS MATERIALIZED (
    SELECT n.account, n.activity
    FROM ({accounts}) AS f CROSS JOIN {{newest_activities}} AS n ON n.account=f.account
    ORDER BY n.activity DESC LIMIT ?3)"""
BOUND = "AND t.activity>=(SELECT CASE count(*) WHEN ?3 THEN min(activity) ELSE x'' END FROM newest)"
"""Where n accounts have a newest activity, none older than those is among the n newest of all."""
MUTES = "SELECT 1 FROM {barriers} WHERE account=? AND kind=3 LIMIT 1"


class SqliteHomeFeed:
    """The HomeFeed port."""

    def __init__(self, connection: apsw.Connection, names: Mapping[str, str]) -> None:
        self._connection = connection
        self._mutes = MUTES.format(**names)
        # By whether the viewer mutes anybody: looking for that in each of 300 followees costs a tenth of the whole.
        followed = (FOLLOWED, FOLLOWED + NOT_MUTED)
        first = MERGE.format(accounts="SELECT account FROM newest", bound=BOUND)
        self._first = [(NEWEST.format(accounts=some) + first).format(**names) for some in followed]
        self._further = [MERGE.format(accounts=some, bound="").format(**names) for some in followed]

    async def page(self, viewer: AccountId, before: str | None, limit: int) -> Page[Activity]:
        """The newest activities of the viewer's feed older than `before`."""
        number = account_number(viewer)
        mutes = self._connection.execute(self._mutes, (number,)).fetchone() is not None
        sql = (self._first if before is None else self._further)[mutes]
        found: list[Activity] = []
        key = key_before(before)
        for _ in range(MOST_MERGES):
            missing = limit - len(found)
            wanted = missing + missing // 4 + 5  # some are replies that the viewer does not see
            merged = 0
            cursor = self._connection.cursor()
            try:
                rows: Any = cursor.execute(sql, (number, key, wanted))
                for by, activity, tweet, shown in rows:
                    if len(found) == limit:
                        return Page(found, from_bytes(key))
                    merged += 1
                    key = activity
                    if shown and by is not None:
                        found.append(activity_of(key, tweet, by))
            finally:
                cursor.close()
            if merged < wanted:
                return Page(found, None)
            sql = self._further[mutes]
        return Page(found, from_bytes(key))
