"""Tweets on SQLite: one row for each tweet, clustered by id and so by time; earlier versions in a table beside it.

The text is the last column: to decide whether a tweet is shown, only the front of the row is read.
"""

from __future__ import annotations

from collections.abc import Collection, Mapping
from typing import Any

import apsw
import msgspec

from events.entities import Entities
from events.ids import AccountId, Millis, TweetId, from_bytes, millis, to_bytes
from events.media import Attachment
from events.tweets import TweetPosted, TweetRef

from ..tweets import Tweet, TweetRows, Tweets, Version
from .binding import blobs, number_of
from .buffered import writer
from .model import Model
from .views import Tables

TWEETS = Tables(
    model="tweets",
    version=3,
    tables={
        "tweets": """(
            tweet BLOB PRIMARY KEY, deleted INTEGER NOT NULL,
            author TEXT NOT NULL, author_number INTEGER NOT NULL,  -- the other models know the author by it
            conversation BLOB,  -- NULL: it began one
            reply_to BLOB, reply_author TEXT, quote_of BLOB, quote_author TEXT, sensitive INTEGER NOT NULL,
            version INTEGER NOT NULL, edited_at INTEGER, content_warning TEXT, location BLOB, media BLOB,
            entities BLOB NOT NULL, text TEXT NOT NULL) WITHOUT ROWID""",
        "tweet_versions": """(
            tweet BLOB, version INTEGER, at INTEGER,  -- NULL: as posted
            entities BLOB NOT NULL, text TEXT NOT NULL, PRIMARY KEY (tweet, version)) WITHOUT ROWID""",
    },
)

_encode = msgspec.json.Encoder().encode
media_of = msgspec.json.Decoder(tuple[Attachment, ...]).decode
"""Decodes the media of a row that has any."""


class SqliteTweetRows:
    """The TweetRows port."""

    def __init__(self, connection: apsw.Connection, names: Mapping[str, str]) -> None:
        self._execute = connection.execute
        self._write = writer(connection)
        self._insert = """
            INSERT INTO {tweets} VALUES (?, 0, ?, ?, ?, ?, ?, ?, ?, ?, 1, NULL, ?, ?, ?, ?, ?)""".format(**names)
        self._keep = """
            INSERT OR REPLACE INTO {tweet_versions}
            SELECT tweet, version, edited_at, entities, text FROM {tweets} WHERE tweet=?""".format(**names)
        self._edit = "UPDATE {tweets} SET version=?, edited_at=?, entities=?, text=? WHERE tweet=?".format(**names)
        self._delete = """
            UPDATE {tweets} SET deleted=1, content_warning=NULL, location=NULL, media=NULL, entities=x'', text=''
            WHERE tweet=?""".format(**names)
        self._forget = "DELETE FROM {tweet_versions} WHERE tweet=?".format(**names)

    def posted(self, event: TweetPosted) -> None:
        """Add a tweet."""
        reply, quote = event.reply_to, event.quote_of
        self._write(
            self._insert,
            (
                to_bytes(event.tweet),
                event.author,
                number_of(event.author),
                to_bytes(event.conversation) if event.conversation != event.tweet else None,
                to_bytes(reply.tweet) if reply else None,
                reply.author if reply else None,
                to_bytes(quote.tweet) if quote else None,
                quote.author if quote else None,
                event.sensitive,
                event.content_warning,
                _encode(event.location) if event.location else None,
                _encode(event.media) if event.media else None,
                _encode(event.entities),
                event.text,
            ),
        )

    def edited(self, tweet: TweetId, version: int, text: str, entities: Entities, at: Millis) -> None:
        """Replace the text of a tweet and keep the previous version."""
        key = to_bytes(tweet)
        self._execute(self._keep, (key,))
        self._execute(self._edit, (version, at, _encode(entities), text, key))

    def deleted(self, tweet: TweetId) -> None:
        """Mark a tweet as deleted and remove its texts."""
        key = to_bytes(tweet)
        self._execute(self._delete, (key,))
        self._execute(self._forget, (key,))


class SqliteTweets:
    """The Tweets port."""

    def __init__(self, connection: apsw.Connection, names: Mapping[str, str]) -> None:
        self._execute = connection.execute
        self._by_ids = """
            SELECT author, text, entities, conversation, reply_to, reply_author, quote_of, quote_author,
                location, sensitive, content_warning, version, edited_at, deleted, media
            FROM carray(?) LEFT JOIN {tweets} ON tweet=value""".format(**names)
        self._history = """
            SELECT version, text, entities, at FROM {tweet_versions} WHERE tweet=?1
            UNION ALL SELECT version, text, entities, edited_at FROM {tweets} WHERE tweet=?1 AND NOT deleted
            ORDER BY version""".format(**names)

    async def by_ids(self, tweets: Collection[TweetId]) -> dict[TweetId, Tweet]:
        """Return the tweets, deleted ones included. Unknown ids are left out."""
        if not tweets:
            return {}
        found = {}
        rows: Any = self._execute(self._by_ids, (blobs(tweets),)).fetchall()
        for id_, (
            author, text, entities, conversation, reply_to, reply_author, quote_of, quote_author,
            location, sensitive, warning, version, edited_at, deleted, media,
        ) in zip(tweets, rows, strict=True):  # fmt: skip
            if author is None:
                continue
            found[id_] = Tweet(
                id_,
                author,
                text,
                entities,
                id_ if conversation is None else TweetId(from_bytes(conversation)),
                None if reply_to is None else _reference(reply_to, reply_author),
                None if quote_of is None else _reference(quote_of, quote_author),
                location,
                sensitive == 1,
                warning,
                version,
                edited_at,
                deleted == 1,
                () if media is None else media_of(media),
            )
        return found

    async def history(self, tweet: TweetId) -> list[Version]:
        """Return all versions of a tweet, oldest first."""
        rows: Any = self._execute(self._history, (to_bytes(tweet),)).fetchall()
        posted = millis(tweet)
        return [Version(version, text, entities, posted if at is None else at) for version, text, entities, at in rows]


def _reference(tweet: bytes, author: str) -> TweetRef:
    return TweetRef(TweetId(from_bytes(tweet)), AccountId(author))


MODEL: Model[TweetRows, Tweets] = Model(TWEETS, SqliteTweetRows, SqliteTweets)
