"""Engagement on Cassandra: marks by account, and lists by account and by tweet, which are checked against the marks.

A like takes three writes, its removal one: the event does not say when the like was, so the lists keep its rows and
readers filter them. Marks are partitioned by the 30 days in which the tweet was posted, so the marks of a page of
tweets take one read or two.
"""

from __future__ import annotations

import asyncio
from collections.abc import Collection, Iterable, Sequence

from events.ids import AccountId, ActivityId, TweetId, from_bytes, millis, to_bytes

from ..engagement import Engagement, EngagementRows, Marks
from ..pages import Page
from .address import checked
from .buckets import DAY_MS, MONTH_MS, ListedRows, Listing, ListingReader
from .model import Model
from .session import CassandraSession, Row
from .sink import CassandraSink

BY_ACCOUNT = Listing("marks_by_account", ("account", "kind"), "at", ("tweet",), MONTH_MS)
BY_TWEET = Listing("marks_by_tweet", ("tweet", "kind"), "at", ("account",), DAY_MS)
QUOTES = Listing("quotes", ("quoted",), "tweet", (), DAY_MS)
LIKE, RETWEET, BOOKMARK = 1, 2, 4


def _month(tweet: str) -> int:
    return millis(tweet) // MONTH_MS


class CassandraEngagementRows:
    """The EngagementRows port. Retweets have no list by account, since timelines have them; bookmarks none by tweet."""

    def __init__(self, sink: CassandraSink, keyspace: str) -> None:
        self._sink = sink
        self._by_account = ListedRows(sink, keyspace, BY_ACCOUNT)
        self._by_tweet = ListedRows(sink, keyspace, BY_TWEET)
        self._quotes = ListedRows(sink, keyspace, QUOTES)
        name = checked(keyspace)
        self._mark = (
            f"INSERT INTO {name}.marks (account, month, tweet, kind, at) VALUES (?, ?, ?, ?, ?) USING TIMESTAMP ?"
        )
        self._unmark = f"DELETE FROM {name}.marks USING TIMESTAMP ? WHERE account=? AND month=? AND tweet=? AND kind=?"

    def liked(self, actor: AccountId, tweet: TweetId, at: str) -> None:
        """Add a like."""
        self._put(actor, tweet, LIKE, at)
        self._by_account.put((to_bytes(actor), LIKE), at, to_bytes(tweet))
        self._by_tweet.put((to_bytes(tweet), LIKE), at, to_bytes(actor))

    def unliked(self, actor: AccountId, tweet: TweetId) -> None:
        """Remove a like."""
        self._remove(actor, tweet, LIKE)

    def retweeted(self, actor: AccountId, tweet: TweetId, retweet: ActivityId) -> None:
        """Add a retweet."""
        self._put(actor, tweet, RETWEET, retweet)
        self._by_tweet.put((to_bytes(tweet), RETWEET), retweet, to_bytes(actor))

    def retweet_undone(self, actor: AccountId, tweet: TweetId) -> None:
        """Remove a retweet."""
        self._remove(actor, tweet, RETWEET)

    def bookmarked(self, owner: AccountId, tweet: TweetId, at: str) -> None:
        """Add a bookmark."""
        self._put(owner, tweet, BOOKMARK, at)
        self._by_account.put((to_bytes(owner), BOOKMARK), at, to_bytes(tweet))

    def bookmark_removed(self, owner: AccountId, tweet: TweetId) -> None:
        """Remove a bookmark."""
        self._remove(owner, tweet, BOOKMARK)

    def quoted(self, quoted: TweetId, tweet: TweetId) -> None:
        """Record that `tweet` quotes `quoted`."""
        self._quotes.put((to_bytes(quoted),), tweet)

    def quote_deleted(self, quoted: TweetId, tweet: TweetId) -> None:
        """Remove the quote: `tweet`, which quoted `quoted`, was deleted."""
        self._quotes.remove((to_bytes(quoted),), tweet)

    def _put(self, account: AccountId, tweet: TweetId, kind: int, at: str) -> None:
        key = to_bytes(tweet)
        self._sink.write(self._mark, to_bytes(account), _month(tweet), key, kind, to_bytes(at), self._sink.stamp)

    def _remove(self, account: AccountId, tweet: TweetId, kind: int) -> None:
        self._sink.write(self._unmark, self._sink.stamp, to_bytes(account), _month(tweet), to_bytes(tweet), kind)


class CassandraEngagement:
    """The Engagement port."""

    def __init__(self, session: CassandraSession, keyspace: str) -> None:
        self._session = session
        self._by_account = ListingReader(session, keyspace, BY_ACCOUNT)
        self._by_tweet = ListingReader(session, keyspace, BY_TWEET)
        self._quotes = ListingReader(session, keyspace, QUOTES)
        name = checked(keyspace)
        self._marks = f"SELECT tweet, kind, at FROM {name}.marks WHERE account=? AND month=? AND tweet IN ?"
        self._marks_of = f"SELECT account, at FROM {name}.marks WHERE account IN ? AND month=? AND tweet=? AND kind=?"

    async def marks(self, account: AccountId, tweets: Collection[TweetId]) -> dict[TweetId, Marks]:
        """Return the account's marks on each tweet. Tweets without any are left out."""
        done: dict[bytes, set[int]] = {}
        for tweet, kind, _ in await self._of(to_bytes(account), tweets):
            done.setdefault(tweet, set()).add(kind)
        return {
            tweet: Marks(LIKE in kinds, RETWEET in kinds, BOOKMARK in kinds)
            for tweet in tweets
            if (kinds := done.get(to_bytes(tweet)))
        }

    async def likers(self, tweet: TweetId, before: str | None, limit: int) -> Page[AccountId]:
        """Return a page of the accounts that like a tweet."""
        return await self._accounts(tweet, LIKE, before, limit)

    async def retweeters(self, tweet: TweetId, before: str | None, limit: int) -> Page[AccountId]:
        """Return a page of the accounts that retweeted a tweet."""
        return await self._accounts(tweet, RETWEET, before, limit)

    async def quotes(self, tweet: TweetId, before: str | None, limit: int) -> Page[TweetId]:
        """Return a page of the tweets that quote a tweet."""
        rows, next_ = await self._quotes.page((to_bytes(tweet),), before, limit)
        return Page([TweetId(from_bytes(key)) for (key,) in rows], next_)

    async def likes(self, account: AccountId, before: str | None, limit: int) -> Page[TweetId]:
        """Return a page of the tweets that an account likes."""
        return await self._tweets(account, LIKE, before, limit)

    async def bookmarks(self, owner: AccountId, before: str | None, limit: int) -> Page[TweetId]:
        """Return a page of the tweets that an account has bookmarked."""
        return await self._tweets(owner, BOOKMARK, before, limit)

    async def _of(self, account: bytes, tweets: Iterable[str]) -> list[Row]:
        months: dict[int, list[bytes]] = {}
        for tweet in tweets:
            months.setdefault(_month(tweet), []).append(to_bytes(tweet))
        found = await asyncio.gather(
            *(self._session.read_by_keys(self._marks, keys, account, month) for month, keys in months.items())
        )
        return [row for rows in found for row in rows]

    async def _accounts(self, tweet: TweetId, kind: int, before: str | None, limit: int) -> Page[AccountId]:
        key = to_bytes(tweet)
        after = (_month(tweet), key, kind)

        async def shown(rows: Sequence[Row]) -> list[bool]:
            facts = await self._session.read_by_keys(self._marks_of, {who for _, who in rows}, after=after)
            since = {account: at for account, at in facts}  # noqa: C416  # of rows, which dict() has no type for
            return [since.get(who) == at for at, who in rows]

        rows, next_ = await self._by_tweet.page((key, kind), before, limit, shown)
        return Page([AccountId(from_bytes(who)) for _, who in rows], next_)

    async def _tweets(self, account: AccountId, kind: int, before: str | None, limit: int) -> Page[TweetId]:
        key = to_bytes(account)

        async def shown(rows: Sequence[Row]) -> list[bool]:
            facts = await self._of(key, {from_bytes(tweet) for _, tweet in rows})
            since = {tweet: at for tweet, of_kind, at in facts if of_kind == kind}
            return [since.get(tweet) == at for at, tweet in rows]

        rows, next_ = await self._by_account.page((key, kind), before, limit, shown)
        return Page([TweetId(from_bytes(tweet)) for _, tweet in rows], next_)


MODEL: Model[EngagementRows, Engagement] = Model(
    ("marks", "marks_by_account", "marks_by_tweet", "quotes"), CassandraEngagementRows, CassandraEngagement
)
