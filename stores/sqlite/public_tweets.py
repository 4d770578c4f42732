"""The contexts of tweets for the public firehose, on SQLite: one row for each reply, quote or sensitive tweet."""

from __future__ import annotations

from collections.abc import Collection, Mapping
from typing import Any

import apsw

from events.ids import AccountId, TweetId, from_bytes, to_bytes
from events.tweets import TweetRef

from ..public_tweets import PLAIN, PublicTweetRows, TweetContext
from .model import Model
from .views import Tables

PUBLIC_TWEETS = Tables(
    model="public_tweets",
    version=1,
    tables={
        "public_tweets": """(
            tweet BLOB PRIMARY KEY, reply_to BLOB, reply_to_author BLOB, quote_of BLOB, quote_of_author BLOB,
            sensitive INTEGER) WITHOUT ROWID"""
    },
)


def _ids(ref: TweetRef | None) -> tuple[bytes | None, bytes | None]:
    return (None, None) if ref is None else (to_bytes(ref.tweet), to_bytes(ref.author))


def _ref(tweet: bytes | None, author: bytes | None) -> TweetRef | None:
    if tweet is None or author is None:
        return None
    return TweetRef(TweetId(from_bytes(tweet)), AccountId(from_bytes(author)))


class SqlitePublicTweetRows:
    """The PublicTweetRows port."""

    def __init__(self, connection: apsw.Connection, names: Mapping[str, str]) -> None:
        self._execute = connection.execute
        self._insert = "INSERT OR REPLACE INTO {public_tweets} VALUES (?, ?, ?, ?, ?, ?)".format(**names)
        self._delete = "DELETE FROM {public_tweets} WHERE tweet=?".format(**names)

    def posted(self, tweet: TweetId, context: TweetContext) -> None:
        """Store the context of a tweet that is a reply, a quote or sensitive."""
        refs = (*_ids(context.reply_to), *_ids(context.quote_of))
        self._execute(self._insert, (to_bytes(tweet), *refs, int(context.sensitive)))

    def deleted(self, tweet: TweetId) -> None:
        """Remove a tweet."""
        self._execute(self._delete, (to_bytes(tweet),))


class SqlitePublicTweets:
    """The PublicTweets port, on the connection that writes."""

    def __init__(self, connection: apsw.Connection, names: Mapping[str, str]) -> None:
        self._execute = connection.execute
        self._context = """
            SELECT reply_to, reply_to_author, quote_of, quote_of_author, sensitive
            FROM {public_tweets} WHERE tweet=?""".format(**names)

    async def fetch(self, tweets: Collection[TweetId]) -> None:
        """Do nothing: a look-up costs the same later."""

    def context(self, tweet: TweetId) -> TweetContext:
        """Return the context with which the tweet was posted."""
        row: Any = self._execute(self._context, (to_bytes(tweet),)).fetchone()
        return PLAIN if row is None else TweetContext(_ref(row[0], row[1]), _ref(row[2], row[3]), bool(row[4]))


MODEL: Model[PublicTweetRows, None] = Model(PUBLIC_TWEETS, SqlitePublicTweetRows, None)
