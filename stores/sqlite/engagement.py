"""Engagement on SQLite: likes, retweets and bookmarks as marks of an account on a tweet, in one table.

The table is clustered by account and tweet, so all marks of a viewer on a tweet are one look-up. Two indexes list the
accounts of a tweet and the tweets of an account, newest first.
"""

from __future__ import annotations

from collections.abc import Collection, Mapping
from typing import Any

import apsw

from events.ids import AccountId, ActivityId, TweetId, to_bytes

from ..engagement import Engagement, EngagementRows, Marks
from ..pages import Page
from .binding import blobs, key_before, number_of, page_of, page_of_ids
from .buffered import writer
from .model import Model
from .views import Tables

ENGAGEMENT = Tables(
    model="engagement",
    version=1,
    tables={
        "marks": """(
            account INTEGER, tweet BLOB, kind INTEGER,  -- 1: like, 2: retweet, 4: bookmark
            at BLOB NOT NULL, PRIMARY KEY (account, tweet, kind)) WITHOUT ROWID""",
        "quotes": "(quoted BLOB, tweet BLOB, PRIMARY KEY (quoted, tweet DESC)) WITHOUT ROWID",
    },
    indexes=(
        "CREATE INDEX marks_by_tweet_{generation} ON {marks} (tweet, kind, at DESC)",
        "CREATE INDEX marks_by_account_{generation} ON {marks} (account, kind, at DESC)",
    ),
)
LIKE, RETWEET, BOOKMARK = 1, 2, 4
MARKS_OF_BITS = [Marks(bool(bits & LIKE), bool(bits & RETWEET), bool(bits & BOOKMARK)) for bits in range(8)]


class SqliteEngagementRows:
    """The EngagementRows port."""

    def __init__(self, connection: apsw.Connection, names: Mapping[str, str]) -> None:
        self._write = writer(connection)
        self._mark = "INSERT OR REPLACE INTO {marks} VALUES (?, ?, ?, ?)".format(**names)
        self._unmark = "DELETE FROM {marks} WHERE account=? AND tweet=? AND kind=?".format(**names)
        self._quote = "INSERT OR REPLACE INTO {quotes} VALUES (?, ?)".format(**names)
        self._unquote = "DELETE FROM {quotes} WHERE quoted=? AND tweet=?".format(**names)

    def liked(self, actor: AccountId, tweet: TweetId, at: str) -> None:
        """Add a like."""
        self._write(self._mark, (number_of(actor), to_bytes(tweet), LIKE, to_bytes(at)))

    def unliked(self, actor: AccountId, tweet: TweetId) -> None:
        """Remove a like."""
        self._write(self._unmark, (number_of(actor), to_bytes(tweet), LIKE))

    def retweeted(self, actor: AccountId, tweet: TweetId, retweet: ActivityId) -> None:
        """Add a retweet."""
        self._write(self._mark, (number_of(actor), to_bytes(tweet), RETWEET, to_bytes(retweet)))

    def retweet_undone(self, actor: AccountId, tweet: TweetId) -> None:
        """Remove a retweet."""
        self._write(self._unmark, (number_of(actor), to_bytes(tweet), RETWEET))

    def bookmarked(self, owner: AccountId, tweet: TweetId, at: str) -> None:
        """Add a bookmark."""
        self._write(self._mark, (number_of(owner), to_bytes(tweet), BOOKMARK, to_bytes(at)))

    def bookmark_removed(self, owner: AccountId, tweet: TweetId) -> None:
        """Remove a bookmark."""
        self._write(self._unmark, (number_of(owner), to_bytes(tweet), BOOKMARK))

    def quoted(self, quoted: TweetId, tweet: TweetId) -> None:
        """Record that `tweet` quotes `quoted`."""
        self._write(self._quote, (to_bytes(quoted), to_bytes(tweet)))

    def quote_deleted(self, quoted: TweetId, tweet: TweetId) -> None:
        """Remove the quote: `tweet`, which quoted `quoted`, was deleted."""
        self._write(self._unquote, (to_bytes(quoted), to_bytes(tweet)))


class SqliteEngagement:
    """The Engagement port."""

    def __init__(self, connection: apsw.Connection, names: Mapping[str, str]) -> None:
        self._execute = connection.execute
        self._marks = """
            SELECT (SELECT sum(kind) FROM {marks} WHERE account=?1 AND tweet=value) FROM carray(?2)""".format(**names)
        self._who = """
            SELECT (SELECT id FROM {users} WHERE number=account), at FROM {marks}
            WHERE tweet=? AND kind=? AND at<? ORDER BY at DESC LIMIT ?""".format(**names)
        self._what = """
            SELECT tweet, at FROM {marks}
            WHERE account=? AND kind=? AND at<? ORDER BY at DESC LIMIT ?""".format(**names)
        self._quotes = """
            SELECT tweet, tweet FROM {quotes} WHERE quoted=? AND tweet<? ORDER BY tweet DESC LIMIT ?""".format(**names)

    async def marks(self, account: AccountId, tweets: Collection[TweetId]) -> dict[TweetId, Marks]:
        """Return the account's marks on each tweet. Tweets without any are left out."""
        if not tweets:
            return {}
        rows: Any = self._execute(self._marks, (number_of(account), blobs(tweets))).fetchall()
        return {tweet: MARKS_OF_BITS[done] for tweet, (done,) in zip(tweets, rows, strict=True) if done is not None}

    async def likers(self, tweet: TweetId, before: str | None, limit: int) -> Page[AccountId]:
        """Return a page of the accounts that like a tweet."""
        return self._accounts(tweet, LIKE, before, limit)

    async def retweeters(self, tweet: TweetId, before: str | None, limit: int) -> Page[AccountId]:
        """Return a page of the accounts that retweeted a tweet."""
        return self._accounts(tweet, RETWEET, before, limit)

    async def quotes(self, tweet: TweetId, before: str | None, limit: int) -> Page[TweetId]:
        """Return a page of the tweets that quote a tweet."""
        rows: Any = self._execute(self._quotes, (to_bytes(tweet), key_before(before), limit + 1)).fetchall()
        return page_of_ids(rows, limit)

    async def likes(self, account: AccountId, before: str | None, limit: int) -> Page[TweetId]:
        """Return a page of the tweets that an account likes."""
        return self._tweets(account, LIKE, before, limit)

    async def bookmarks(self, owner: AccountId, before: str | None, limit: int) -> Page[TweetId]:
        """Return a page of the tweets that an account has bookmarked."""
        return self._tweets(owner, BOOKMARK, before, limit)

    def _accounts(self, tweet: TweetId, kind: int, before: str | None, limit: int) -> Page[AccountId]:
        rows: Any = self._execute(self._who, (to_bytes(tweet), kind, key_before(before), limit + 1)).fetchall()
        return page_of(rows, limit)

    def _tweets(self, account: AccountId, kind: int, before: str | None, limit: int) -> Page[TweetId]:
        bindings = (number_of(account), kind, key_before(before), limit + 1)
        rows: Any = self._execute(self._what, bindings).fetchall()
        return page_of_ids(rows, limit)


MODEL: Model[EngagementRows, Engagement] = Model(ENGAGEMENT, SqliteEngagementRows, SqliteEngagement)
