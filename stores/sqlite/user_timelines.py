"""User timelines on SQLite: one table, clustered by account and activity, so that a page is one range scan.

The home feed is a merge over the same table (home_feed.py).
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import apsw

from events.ids import AccountId, ActivityId, TweetId, from_bytes, to_bytes

from ..pages import Page
from ..user_timelines import Activity, UserTimelineRows, UserTimelines
from .binding import key_before, number_of
from .buffered import writer
from .model import Model
from .views import Tables

USER_TIMELINES = Tables(
    model="user_timelines",
    version=1,
    tables={
        "user_timelines": """(
            account INTEGER, activity BLOB,
            tweet BLOB,         -- NULL: the activity is the tweet; else the one retweeted
            reply_to INTEGER,   -- the account replied to
            PRIMARY KEY (account, activity DESC)) WITHOUT ROWID""",
        "newest_activities": "(account INTEGER PRIMARY KEY, activity BLOB NOT NULL)",
    },
)

SCANNED = 1000
"""The maximum number of rows read for one page, so that an account that only replies does not delay it."""


class SqliteUserTimelineRows:
    """The UserTimelineRows port.

    The newest activity of each timeline is stored as well, for the home feed's first page.
    """

    def __init__(self, connection: apsw.Connection, names: Mapping[str, str]) -> None:
        self._connection = connection
        self._execute = connection.execute
        self._write = writer(connection)
        self._insert = "INSERT OR REPLACE INTO {user_timelines} VALUES (?, ?, ?, ?)".format(**names)
        self._advance = """
            INSERT INTO {newest_activities} VALUES (?, ?)
            ON CONFLICT DO UPDATE SET activity=excluded.activity WHERE excluded.activity>activity""".format(**names)
        self._delete = "DELETE FROM {user_timelines} WHERE account=? AND activity=?".format(**names)
        self._behead = "DELETE FROM {newest_activities} WHERE account=? AND activity=?".format(**names)
        self._recede = """
            INSERT INTO {newest_activities}
            SELECT account, activity FROM {user_timelines} WHERE account=? ORDER BY activity DESC LIMIT 1
            """.format(**names)

    def posted(self, author: AccountId, tweet: TweetId, reply_to_author: AccountId | None) -> None:
        """Add a posted tweet."""
        replied = number_of(reply_to_author) if reply_to_author is not None else None
        self._put(number_of(author), to_bytes(tweet), None, replied)

    def deleted(self, author: AccountId, tweet: TweetId) -> None:
        """Remove a deleted tweet."""
        self._remove(number_of(author), to_bytes(tweet))

    def retweeted(self, actor: AccountId, retweet: ActivityId, tweet: TweetId) -> None:
        """Add a retweet."""
        self._put(number_of(actor), to_bytes(retweet), to_bytes(tweet), None)

    def undone(self, actor: AccountId, retweet: ActivityId) -> None:
        """Remove a retweet that was undone."""
        self._remove(number_of(actor), to_bytes(retweet))

    def _put(self, account: int, activity: bytes, tweet: bytes | None, reply_to: int | None) -> None:
        self._write(self._insert, (account, activity, tweet, reply_to))
        self._write(self._advance, (account, activity))

    def _remove(self, account: int, activity: bytes) -> None:
        self._execute(self._delete, (account, activity))
        self._execute(self._behead, (account, activity))
        if self._connection.changes():
            self._execute(self._recede, (account,))


class SqliteUserTimelines:
    """The UserTimelines port."""

    def __init__(self, connection: apsw.Connection, names: Mapping[str, str]) -> None:
        self._connection = connection
        self._all = """
            SELECT activity, tweet, 1 FROM {user_timelines}
            WHERE account=? AND activity<? ORDER BY activity DESC LIMIT ?""".format(**names)
        self._without_replies = """
            SELECT activity, tweet, reply_to IS NULL OR reply_to=account FROM {user_timelines}
            WHERE account=? AND activity<? ORDER BY activity DESC LIMIT ?""".format(**names)

    async def all(self, account: AccountId, before: str | None, limit: int) -> Page[Activity]:
        """Return a page of the account's tweets and retweets."""
        return self._page(self._all, account, before, limit)

    async def without_replies(self, account: AccountId, before: str | None, limit: int) -> Page[Activity]:
        """Return a page of the account's tweets and retweets without replies to other accounts."""
        return self._page(self._without_replies, account, before, limit)

    def _page(self, sql: str, account: AccountId, before: str | None, limit: int) -> Page[Activity]:
        found: list[Activity] = []
        scanned = 0
        key = b""
        cursor = self._connection.cursor()
        try:
            rows: Any = cursor.execute(sql, (number_of(account), key_before(before), SCANNED))
            for activity, tweet, shown in rows:
                if shown:
                    if len(found) == limit:
                        return Page(found, from_bytes(key))
                    found.append(activity_of(activity, tweet, account))
                scanned += 1
                key = activity
        finally:
            cursor.close()
        return Page(found, from_bytes(key) if scanned == SCANNED else None)


def activity_of(activity: bytes, tweet: bytes | None, by: AccountId) -> Activity:
    """Return the timeline item of a row."""
    id_ = from_bytes(activity)
    if tweet is None:
        return Activity(ActivityId(id_), TweetId(id_), by, False)
    return Activity(ActivityId(id_), TweetId(from_bytes(tweet)), by, True)


MODEL: Model[UserTimelineRows, UserTimelines] = Model(USER_TIMELINES, SqliteUserTimelineRows, SqliteUserTimelines)
