"""The contexts of tweets for the public firehose, on Cassandra: one row for each reply, quote or sensitive tweet.

A deletion keeps the row, 100 bytes of references: an earlier edit that is redelivered has to find it.
"""

from __future__ import annotations

from collections.abc import Collection

from events.ids import AccountId, TweetId, from_bytes, to_bytes
from events.tweets import TweetRef

from ..public_tweets import PLAIN, PublicTweetRows, TweetContext
from .address import checked
from .model import Model
from .session import CassandraSession
from .sink import CassandraSink


class CassandraPublicTweetRows:
    """The PublicTweetRows port."""

    def __init__(self, sink: CassandraSink, keyspace: str) -> None:
        self._sink = sink
        self._table = f"{checked(keyspace)}.public_tweets"
        self._insert = (
            f"INSERT INTO {self._table} (tweet, reply_to, reply_to_author, quote_of, quote_of_author, sensitive)"
            " VALUES (?, ?, ?, ?, ?, ?) USING TIMESTAMP ?"
        )

    def posted(self, tweet: TweetId, context: TweetContext) -> None:
        """Store the context of a tweet that is a reply, a quote or sensitive."""
        refs = (*_ids(context.reply_to), *_ids(context.quote_of))
        self._sink.write(self._insert, to_bytes(tweet), *refs, context.sensitive, self._sink.stamp)
        self._sink.within[self._table, tweet] = context

    def deleted(self, tweet: TweetId) -> None:
        """Do nothing: an edit that is redelivered needs the row again."""


class CassandraPublicTweets:
    """The PublicTweets port, in the batches of a sink."""

    def __init__(self, session: CassandraSession, sink: CassandraSink, keyspace: str) -> None:
        self._session = session
        self._sink = sink
        self._table = f"{checked(keyspace)}.public_tweets"
        self._contexts = (
            "SELECT tweet, reply_to, reply_to_author, quote_of, quote_of_author, sensitive"
            f" FROM {self._table} WHERE tweet IN ?"
        )
        self._fetched: dict[TweetId, TweetContext] = {}

    async def fetch(self, tweets: Collection[TweetId]) -> None:
        """Load the contexts of these tweets. Raises StoreUnavailable."""
        self._fetched = dict.fromkeys(tweets, PLAIN)
        for row in await self._session.read_by_keys(self._contexts, {to_bytes(tweet) for tweet in tweets}):
            tweet, reply_to, reply_author, quote_of, quote_author, sensitive = row
            context = TweetContext(_ref(reply_to, reply_author), _ref(quote_of, quote_author), bool(sensitive))
            self._fetched[TweetId(from_bytes(tweet))] = context

    def context(self, tweet: TweetId) -> TweetContext:
        """Return the context with which the tweet was posted, in this batch or before it."""
        within: TweetContext | None = self._sink.within.get((self._table, tweet))
        return self._fetched[tweet] if within is None else within


def _ids(ref: TweetRef | None) -> tuple[bytes | None, bytes | None]:
    return (None, None) if ref is None else (to_bytes(ref.tweet), to_bytes(ref.author))


def _ref(tweet: bytes | None, author: bytes | None) -> TweetRef | None:
    if tweet is None or author is None:
        return None
    return TweetRef(TweetId(from_bytes(tweet)), AccountId(from_bytes(author)))


MODEL: Model[PublicTweetRows, None] = Model(("public_tweets",), CassandraPublicTweetRows, None)
