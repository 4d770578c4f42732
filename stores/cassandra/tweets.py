"""Tweets on Cassandra: a partition for each tweet, with a row for each version, so that an edit keeps earlier ones.

An event takes one write, a post on the public timeline two; 20 tweets are one read.
"""

from __future__ import annotations

from collections.abc import Collection

import msgspec

from events.entities import Entities
from events.ids import AccountId, Millis, TweetId, from_bytes, millis, to_bytes
from events.media import Attachment
from events.tweets import TweetPosted, TweetRef

from ..tweets import Tweet, TweetRows, Tweets, Version
from .address import checked
from .buckets import ListedRows
from .model import Model
from .public_timeline import PUBLIC, shard_of
from .session import CassandraSession, Row
from .sink import CassandraSink

_encode = msgspec.json.Encoder().encode
_media_of = msgspec.json.Decoder(tuple[Attachment, ...]).decode


class CassandraTweetRows:
    """The TweetRows port."""

    def __init__(self, sink: CassandraSink, keyspace: str) -> None:
        self._sink = sink
        self._public = ListedRows(sink, keyspace, PUBLIC)
        name = checked(keyspace)
        self._insert = (
            f"INSERT INTO {name}.tweets (tweet, version, author, conversation, reply_to, reply_author, quote_of,"
            " quote_author, sensitive, content_warning, location, media, text, entities)"
            " VALUES (?, 1, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?) USING TIMESTAMP ?"
        )
        self._edit = (
            f"INSERT INTO {name}.tweets (tweet, version, text, entities, edited_at) VALUES (?, ?, ?, ?, ?)"
            " USING TIMESTAMP ?"
        )
        self._delete = (
            f"UPDATE {name}.tweets USING TIMESTAMP ? SET deleted=true, content_warning=null, location=null, media=null"
            " WHERE tweet=?"
        )
        self._forget = f"DELETE FROM {name}.tweets USING TIMESTAMP ? WHERE tweet=? AND version>0"

    def posted(self, event: TweetPosted) -> None:
        """Add a tweet."""
        reply, quote = event.reply_to, event.quote_of
        self._sink.write(
            self._insert,
            to_bytes(event.tweet),
            to_bytes(event.author),
            to_bytes(event.conversation) if event.conversation != event.tweet else None,
            to_bytes(reply.tweet) if reply else None,
            to_bytes(reply.author) if reply else None,
            to_bytes(quote.tweet) if quote else None,
            to_bytes(quote.author) if quote else None,
            event.sensitive,
            event.content_warning,
            _encode(event.location) if event.location else None,
            _encode(event.media) if event.media else None,
            event.text,
            _encode(event.entities),
            self._sink.stamp,
        )
        if reply is None or reply.author == event.author:
            self._public.put((shard_of(event.tweet),), event.tweet)

    def edited(self, tweet: TweetId, version: int, text: str, entities: Entities, at: Millis) -> None:
        """Replace the text of a tweet and keep the previous version."""
        self._sink.write(self._edit, to_bytes(tweet), version, text, _encode(entities), at, self._sink.stamp)

    def deleted(self, tweet: TweetId) -> None:
        """Mark a tweet as deleted and remove its texts."""
        key, stamp = to_bytes(tweet), self._sink.stamp
        self._sink.write(self._delete, stamp, key)
        self._sink.write(self._forget, stamp, key)
        self._public.remove((shard_of(tweet),), tweet)


class CassandraTweets:
    """The Tweets port."""

    def __init__(self, session: CassandraSession, keyspace: str) -> None:
        self._session = session
        name = checked(keyspace)
        self._by_ids = (
            "SELECT tweet, author, text, entities, conversation, reply_to, reply_author, quote_of, quote_author,"
            f" location, sensitive, content_warning, version, edited_at, deleted, media FROM {name}.tweets"
            " WHERE tweet IN ? PER PARTITION LIMIT 1"
        )
        self._history = f"SELECT version, text, entities, edited_at, deleted FROM {name}.tweets WHERE tweet=?"

    async def by_ids(self, tweets: Collection[TweetId]) -> dict[TweetId, Tweet]:
        """Return the tweets, deleted ones included. Unknown ids are left out."""
        rows = await self._session.read_by_keys(self._by_ids, map(to_bytes, tweets))
        found = {row[0]: row for row in rows if row[1] is not None}
        return {id_: _tweet(id_, found[key]) for id_ in tweets if (key := to_bytes(id_)) in found}

    async def history(self, tweet: TweetId) -> list[Version]:
        """Return all versions of a tweet, oldest first."""
        rows = await self._session.read(self._history, (to_bytes(tweet),))
        posted = millis(tweet)
        return [
            Version(version, text, entities, posted if at is None else at)
            for version, text, entities, at, deleted in reversed(rows)
            if not deleted
        ]


def _tweet(id_: TweetId, row: Row) -> Tweet:
    (
        _, author, text, entities, conversation, reply_to, reply_author, quote_of, quote_author,
        location, sensitive, warning, version, edited_at, deleted, media,
    ) = row  # fmt: skip
    return Tweet(
        id_,
        AccountId(from_bytes(author)),
        text or "",
        entities or b"",
        id_ if conversation is None else TweetId(from_bytes(conversation)),
        _reference(reply_to, reply_author),
        _reference(quote_of, quote_author),
        location,
        bool(sensitive),
        warning,
        version or 1,
        edited_at,
        bool(deleted),
        () if media is None else _media_of(media),
    )


def _reference(tweet: bytes | None, author: bytes | None) -> TweetRef | None:
    if tweet is None or author is None:
        return None
    return TweetRef(TweetId(from_bytes(tweet)), AccountId(from_bytes(author)))


MODEL: Model[TweetRows, Tweets] = Model(("tweets", "public_timeline"), CassandraTweetRows, CassandraTweets)
