"""The home feed on SQLite: its definition as one merge on read, over follows and user timelines.

The query is `ORDER BY activity DESC LIMIT n` over a join of the followed accounts with a table clustered by (account,
activity DESC). Once n rows are found, SQLite leaves an account's range at its first row that is older than all of them.
So the cost is about one seek for each account, whatever the length of the timelines and the page: 0.2 ms for 300
followees. CROSS JOIN keeps the planner from changing the order of the join (docs/adr: home feed).

The first page is requested most. Its n newest activities belong to the n accounts with the newest activities, and none
is older than the oldest of these n. They are read from a table with one short row for each account. It stays in the
processor's caches, which the timelines do not: with other requests in between this takes half the time.

The rule for replies is applied to the merged rows, so that a followee who only replies costs no more than another.
Muted followees are left out in the query, so that one who posts a lot does not empty the pages.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import apsw

from events.ids import AccountId, from_bytes

from ..pages import Page
from ..user_timelines import Activity
from .account_ids import AccountIds
from .binding import key_before, number_of
from .user_timelines import activity_of

MOST_MERGES = 4
"""The maximum number of merges for one page. A page that is not full then is returned with a cursor."""

# ?1 is the viewer, ?2 the key below which to continue, ?3 the number of rows. NOT IN alone would build its set for
# every viewer, though most mute nobody.
_HEARD = """
    follower=?1 AND CASE WHEN EXISTS (SELECT 1 FROM {barriers} WHERE account=?1 AND kind=3)
        THEN followee NOT IN (SELECT other FROM {barriers} WHERE account=?1 AND kind=3) ELSE 1 END"""
FOLLOWED = f"""
    SELECT ?1 AS account UNION ALL SELECT followee FROM {{follows}} WHERE {_HEARD}"""
NEWEST = f"""
    SELECT * FROM (
        SELECT n.account, n.activity FROM {{newest_activities}} AS n WHERE n.account=?1
        UNION ALL
        SELECT n.account, n.activity
        FROM {{follows}} CROSS JOIN {{newest_activities}} AS n ON n.account=followee WHERE {_HEARD})
    ORDER BY activity DESC LIMIT ?3"""
MERGED = """
    SELECT account, activity, tweet,
        account=?1 OR reply_to IS NULL OR reply_to=?1
            OR EXISTS (SELECT 1 FROM {{follows}} WHERE follower=?1 AND followee=reply_to)
    FROM (
        SELECT t.account, t.activity, t.tweet, t.reply_to
        FROM ({accounts}) AS f CROSS JOIN {{user_timelines}} AS t
            ON t.account=f.account AND t.activity<?2 AND t.activity>={oldest}
        ORDER BY t.activity DESC LIMIT ?3
    )"""
FIRST = f"WITH newest AS MATERIALIZED ({NEWEST})" + MERGED.format(
    accounts="SELECT account FROM newest",
    oldest="(SELECT CASE count(*) WHEN ?3 THEN min(activity) ELSE x'' END FROM newest)",
)
FURTHER = MERGED.format(accounts=FOLLOWED, oldest="x''")


class SqliteHomeFeed:
    """The HomeFeed port."""

    def __init__(self, connection: apsw.Connection, names: Mapping[str, str]) -> None:
        self._connection = connection
        self._account_ids = AccountIds(connection, names)
        self._first = FIRST.format(**names)
        self._further = FURTHER.format(**names)

    async def page(self, viewer: AccountId, before: str | None, limit: int) -> Page[Activity]:
        """Return a page of the viewer's feed: the newest activities older than `before`."""
        number = number_of(viewer)
        found: list[tuple[int, bytes, bytes | None]] = []
        key, end = key_before(before), False
        sql = self._first if before is None else self._further
        for _ in range(MOST_MERGES):
            key, end = self._merge(sql, number, key, limit, found)
            if end or len(found) == limit:
                break
            sql = self._further
        ids = self._account_ids.of({row[0] for row in found})
        items = [activity_of(activity, tweet, ids[by]) for by, activity, tweet in found if by in ids]
        return Page(items, None if end else from_bytes(key))

    def _merge(
        self, sql: str, viewer: int, key: bytes, limit: int, found: list[tuple[int, bytes, bytes | None]]
    ) -> tuple[bytes, bool]:
        """Append rows to `found`, up to `limit`. Return the last key, and whether the feed ends there."""
        missing = limit - len(found)
        wanted = missing + missing // 4 + 5  # a reserve, since some are replies that the viewer does not see
        merged = 0
        cursor = self._connection.cursor()
        try:
            rows: Any = cursor.execute(sql, (viewer, key, wanted))
            for by, activity, tweet, shown in rows:
                if shown:
                    if len(found) == limit:
                        return key, False
                    found.append((by, activity, tweet))
                merged += 1
                key = activity
        finally:
            cursor.close()
        return key, merged < wanted
