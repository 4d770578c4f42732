"""What the public firehose remembers of tweets, on SQLite: one row a tweet that has a context."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import apsw

from events.ids import AccountId, TweetId, from_bytes, to_bytes
from events.tweets import TweetRef

from ..public_tweets import Context
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


class SqlitePublicTweetContexts:
    """The PublicTweetContexts port."""

    def __init__(self, connection: apsw.Connection, names: Mapping[str, str]) -> None:
        self._execute = connection.execute
        self._put = "INSERT OR REPLACE INTO {public_tweets} VALUES (?, ?, ?, ?, ?, ?)".format(**names)
        self._get = """
            SELECT reply_to, reply_to_author, quote_of, quote_of_author, sensitive
            FROM {public_tweets} WHERE tweet=?""".format(**names)
        self._remove = "DELETE FROM {public_tweets} WHERE tweet=?".format(**names)

    def put(self, tweet: TweetId, context: Context) -> None:
        """Remember a tweet's."""
        self._execute(
            self._put, (to_bytes(tweet), *_ids(context.reply_to), *_ids(context.quote_of), int(context.sensitive))
        )

    def get(self, tweet: TweetId) -> Context | None:
        """What was remembered."""
        row: Any = self._execute(self._get, (to_bytes(tweet),)).fetchone()
        return None if row is None else Context(_ref(row[0], row[1]), _ref(row[2], row[3]), bool(row[4]))

    def remove(self, tweet: TweetId) -> None:
        """Forget a tweet's, if there is any."""
        self._execute(self._remove, (to_bytes(tweet),))
