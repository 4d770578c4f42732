"""Hashtags on SQLite: one row for each tag of a tweet, clustered by tag, and an index by tweet for its changes."""

from __future__ import annotations

from collections.abc import Collection, Mapping
from typing import Any

import apsw

from events.ids import TweetId, to_bytes

from ..hashtags import HashtagRows, Hashtags
from ..pages import Page
from .binding import key_before, page_of_ids
from .buffered import writer
from .model import Model
from .views import Tables

HASHTAGS = Tables(
    model="hashtags",
    version=1,
    tables={"hashtags": "(tag TEXT, tweet BLOB, PRIMARY KEY (tag, tweet DESC)) WITHOUT ROWID"},
    write_indexes=("CREATE INDEX hashtags_by_tweet_{generation} ON {hashtags} (tweet)",),
)


class SqliteHashtagRows:
    """The HashtagRows port."""

    def __init__(self, connection: apsw.Connection, names: Mapping[str, str]) -> None:
        self._write = writer(connection)
        self._insert = "INSERT OR REPLACE INTO {hashtags} VALUES (?, ?)".format(**names)
        self._delete = "DELETE FROM {hashtags} WHERE tweet=?".format(**names)

    def posted(self, tweet: TweetId, tags: Collection[str]) -> None:
        """Add a tweet with its tags."""
        for tag in tags:
            self._write(self._insert, (tag, to_bytes(tweet)))

    def edited(self, tweet: TweetId, tags: Collection[str]) -> None:
        """Replace the tags of a tweet."""
        self.deleted(tweet)
        self.posted(tweet, tags)

    def deleted(self, tweet: TweetId) -> None:
        """Remove a tweet."""
        self._write(self._delete, (to_bytes(tweet),))


class SqliteHashtags:
    """The Hashtags port."""

    def __init__(self, connection: apsw.Connection, names: Mapping[str, str]) -> None:
        self._execute = connection.execute
        self._tweets = """
            SELECT tweet, tweet FROM {hashtags} WHERE tag=? AND tweet<? ORDER BY tweet DESC LIMIT ?""".format(**names)

    async def tweets(self, tag: str, before: str | None, limit: int) -> Page[TweetId]:
        """Return a page of the tweets that carry a tag, newest first."""
        rows: Any = self._execute(self._tweets, (tag, key_before(before), limit + 1)).fetchall()
        return page_of_ids(rows, limit)


MODEL: Model[HashtagRows, Hashtags] = Model(HASHTAGS, SqliteHashtagRows, SqliteHashtags)
