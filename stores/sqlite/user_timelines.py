"""User timelines on SQLite: one table, clustered by account and activity, so that a page is one range scan.

The home feed is a merge over the same table (home_feed.py).
"""

from __future__ import annotations

from collections.abc import Mapping

import apsw

from events.ids import AccountId, ActivityId, TweetId, account_number, to_bytes

from .views import Tables

USER_TIMELINES = Tables(
    model="user_timelines",
    version=1,
    tables={
        "user_timelines": """(
            account INTEGER, activity BLOB,
            tweet BLOB,         -- NULL: the activity is the tweet; else the one retweeted
            reply_to INTEGER,   -- the account replied to
            PRIMARY KEY (account, activity DESC)) WITHOUT ROWID"""
    },
)


class SqliteUserTimelineRows:
    """The UserTimelineRows port."""

    def __init__(self, connection: apsw.Connection, names: Mapping[str, str]) -> None:
        self._execute = connection.execute
        self._insert = "INSERT OR REPLACE INTO {user_timelines} VALUES (?, ?, ?, ?)".format(**names)
        self._delete = "DELETE FROM {user_timelines} WHERE account=? AND activity=?".format(**names)

    def posted(self, author: AccountId, tweet: TweetId, reply_to_author: AccountId | None) -> None:
        """The account posted a tweet."""
        replied = account_number(reply_to_author) if reply_to_author is not None else None
        self._execute(self._insert, (account_number(author), to_bytes(tweet), None, replied))

    def deleted(self, author: AccountId, tweet: TweetId) -> None:
        """The account deleted it."""
        self._execute(self._delete, (account_number(author), to_bytes(tweet)))

    def retweeted(self, actor: AccountId, retweet: ActivityId, tweet: TweetId) -> None:
        """The account passed a tweet on."""
        self._execute(self._insert, (account_number(actor), to_bytes(retweet), to_bytes(tweet), None))

    def undone(self, actor: AccountId, retweet: ActivityId) -> None:
        """The account took the retweet back."""
        self._execute(self._delete, (account_number(actor), to_bytes(retweet)))
