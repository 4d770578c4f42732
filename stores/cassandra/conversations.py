"""Conversations on Cassandra: one row for each reply by its parent, and one by the reply. Two writes for each reply.

The ancestors of a tweet take one read for each step, one after the other; replies are read like any list.
"""

from __future__ import annotations

import asyncio
from collections.abc import Collection

from events.ids import TweetId, from_bytes, to_bytes

from ..conversations import ConversationRows, Conversations
from ..pages import Page
from .address import checked
from .buckets import DAY_MS, ListedRows, Listing, ListingReader
from .model import Model
from .session import CassandraSession
from .sink import CassandraSink

REPLIES = Listing("replies", ("parent",), "tweet", (), DAY_MS, newest_first=False)


class CassandraConversationRows:
    """The ConversationRows port."""

    def __init__(self, sink: CassandraSink, keyspace: str) -> None:
        self._sink = sink
        self._replies = ListedRows(sink, keyspace, REPLIES)
        self._insert = f"INSERT INTO {checked(keyspace)}.parents (tweet, parent) VALUES (?, ?) USING TIMESTAMP ?"

    def replied(self, tweet: TweetId, to: TweetId) -> None:
        """Record that `tweet` is a reply to `to`."""
        self._replies.put((to_bytes(to),), tweet)
        self._sink.write(self._insert, to_bytes(tweet), to_bytes(to), self._sink.stamp)


class CassandraConversations:
    """The Conversations port."""

    def __init__(self, session: CassandraSession, keyspace: str) -> None:
        self._session = session
        self._replies = ListingReader(session, keyspace, REPLIES)
        self._parent = f"SELECT parent FROM {checked(keyspace)}.parents WHERE tweet=?"

    async def ancestors(self, tweet: TweetId, limit: int) -> list[TweetId]:
        """Return the chain of tweets that `tweet` replies to, nearest first, at most `limit`."""
        found: list[TweetId] = []
        key = to_bytes(tweet)
        while len(found) < limit and (rows := await self._session.read(self._parent, (key,))):
            key = rows[0][0]
            found.append(TweetId(from_bytes(key)))
        return found

    async def replies(self, tweet: TweetId, after: str | None, limit: int) -> Page[TweetId]:
        """Return a page of the direct replies to a tweet, oldest first, from the cursor `after` on."""
        rows, next_ = await self._replies.page((to_bytes(tweet),), after, limit)
        return Page([TweetId(from_bytes(key)) for (key,) in rows], next_)

    async def first_replies(self, tweets: Collection[TweetId], limit: int) -> dict[TweetId, list[TweetId]]:
        """Return the first `limit` direct replies to each tweet, oldest first. Tweets without replies are left out."""
        pages = await asyncio.gather(*(self.replies(tweet, None, limit) for tweet in tweets))
        return {tweet: page.items for tweet, page in zip(tweets, pages, strict=True) if page.items}


MODEL: Model[ConversationRows, Conversations] = Model(
    ("replies", "parents"), CassandraConversationRows, CassandraConversations
)
