"""Conversations on SQLite: one row for each reply, clustered by its parent, and an index by reply."""

from __future__ import annotations

from collections.abc import Collection, Mapping
from typing import Any

import apsw

from events.ids import TweetId, from_bytes, to_bytes

from ..conversations import ConversationRows, Conversations
from ..pages import Page
from .binding import FIRST_KEY, page_of_ids
from .buffered import writer
from .model import Model
from .views import Tables

CONVERSATIONS = Tables(
    model="conversations",
    version=1,
    tables={"replies": "(parent BLOB, tweet BLOB, PRIMARY KEY (parent, tweet)) WITHOUT ROWID"},
    indexes=("CREATE INDEX replies_by_tweet_{generation} ON {replies} (tweet)",),
)


class SqliteConversationRows:
    """The ConversationRows port."""

    def __init__(self, connection: apsw.Connection, names: Mapping[str, str]) -> None:
        self._write = writer(connection)
        self._insert = "INSERT OR REPLACE INTO {replies} VALUES (?, ?)".format(**names)

    def replied(self, tweet: TweetId, to: TweetId) -> None:
        """Record that `tweet` is a reply to `to`."""
        self._write(self._insert, (to_bytes(to), to_bytes(tweet)))


class SqliteConversations:
    """The Conversations port."""

    def __init__(self, connection: apsw.Connection, names: Mapping[str, str]) -> None:
        self._execute = connection.execute
        self._ancestors = """
            WITH RECURSIVE up (tweet) AS (
                SELECT parent FROM {replies} WHERE tweet=?
                UNION ALL SELECT r.parent FROM up CROSS JOIN {replies} r ON r.tweet=up.tweet LIMIT ?)
            SELECT tweet FROM up""".format(**names)
        self._replies = """
            SELECT tweet, tweet FROM {replies} WHERE parent=? AND tweet>? ORDER BY tweet LIMIT ?""".format(**names)

    async def ancestors(self, tweet: TweetId, limit: int) -> list[TweetId]:
        """Return the chain of tweets that `tweet` replies to, nearest first, at most `limit`."""
        rows: Any = self._execute(self._ancestors, (to_bytes(tweet), limit)).fetchall()
        return [TweetId(from_bytes(row[0])) for row in rows]

    async def replies(self, tweet: TweetId, after: str | None, limit: int) -> Page[TweetId]:
        """Return a page of the direct replies to a tweet, oldest first, from the cursor `after` on."""
        key = FIRST_KEY if after is None else to_bytes(after)
        rows: Any = self._execute(self._replies, (to_bytes(tweet), key, limit + 1)).fetchall()
        return page_of_ids(rows, limit)

    async def first_replies(self, tweets: Collection[TweetId], limit: int) -> dict[TweetId, list[TweetId]]:
        """Return the first `limit` direct replies to each tweet, oldest first. Tweets without replies are left out."""
        found = {}
        for tweet in tweets:
            # One statement for each tweet: SQLite has no LIMIT for each group that stops at the limit.
            rows: Any = self._execute(self._replies, (to_bytes(tweet), FIRST_KEY, limit)).fetchall()
            if rows:
                found[tweet] = [TweetId(from_bytes(row[0])) for row in rows]
        return found


MODEL: Model[ConversationRows, Conversations] = Model(CONVERSATIONS, SqliteConversationRows, SqliteConversations)
