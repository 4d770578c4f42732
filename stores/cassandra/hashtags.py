"""Hashtags on Cassandra: one row with all tags of a tweet, and lists by tag, which are checked against that row.

So an edit need not know the earlier tags. It takes one write for each tag, and one for the row with all of them.
"""

from __future__ import annotations

from collections.abc import Collection, Sequence

from events.ids import TweetId, from_bytes, to_bytes

from ..hashtags import HashtagRows, Hashtags
from ..pages import Page
from .address import checked
from .buckets import DAY_MS, ListedRows, Listing, ListingReader
from .model import Model
from .session import CassandraSession, Row
from .sink import CassandraSink

HASHTAGS = Listing("hashtags", ("tag",), "tweet", (), DAY_MS)


class CassandraHashtagRows:
    """The HashtagRows port."""

    def __init__(self, sink: CassandraSink, keyspace: str) -> None:
        self._sink = sink
        self._rows = ListedRows(sink, keyspace, HASHTAGS)
        name = checked(keyspace)
        self._insert = f"INSERT INTO {name}.tweet_tags (tweet, tags) VALUES (?, ?) USING TIMESTAMP ?"
        self._delete = f"DELETE FROM {name}.tweet_tags USING TIMESTAMP ? WHERE tweet=?"

    def posted(self, tweet: TweetId, tags: Collection[str]) -> None:
        """Add a tweet with its tags."""
        if tags:
            self.edited(tweet, tags)

    def edited(self, tweet: TweetId, tags: Collection[str]) -> None:
        """Replace the tags of a tweet."""
        self._sink.write(self._insert, to_bytes(tweet), set(tags), self._sink.stamp)
        for tag in tags:
            self._rows.put((tag,), tweet)

    def deleted(self, tweet: TweetId) -> None:
        """Remove a tweet."""
        self._sink.write(self._delete, self._sink.stamp, to_bytes(tweet))


class CassandraHashtags:
    """The Hashtags port."""

    def __init__(self, session: CassandraSession, keyspace: str) -> None:
        self._session = session
        self._rows = ListingReader(session, keyspace, HASHTAGS)
        self._tags = f"SELECT tweet, tags FROM {checked(keyspace)}.tweet_tags WHERE tweet IN ?"

    async def tweets(self, tag: str, before: str | None, limit: int) -> Page[TweetId]:
        """Return a page of the tweets that carry a tag, newest first."""

        async def shown(rows: Sequence[Row]) -> list[bool]:
            found = await self._session.read_by_keys(self._tags, [tweet for (tweet,) in rows])
            carrying = {tweet for tweet, tags in found if tag in (tags or ())}
            return [tweet in carrying for (tweet,) in rows]

        rows, next_ = await self._rows.page((tag,), before, limit, shown)
        return Page([TweetId(from_bytes(tweet)) for (tweet,) in rows], next_)


MODEL: Model[HashtagRows, Hashtags] = Model(("tweet_tags", "hashtags"), CassandraHashtagRows, CassandraHashtags)
