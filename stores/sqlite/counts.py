"""Counters on SQLite: a row a tweet and a row an account, made by whatever is counted first."""

from __future__ import annotations

from collections.abc import Collection, Mapping
from typing import Any, get_args

import apsw

from events.ids import AccountId, TweetId, to_bytes

from ..counts import AccountCounter, AccountCounts, CountRows, Counts, TweetCounter, TweetCounts
from .binding import blobs, number_of, numbers
from .model import Model
from .views import Tables

COUNTS = Tables(
    model="counts",
    version=1,
    tables={
        "tweet_counts": """(
            tweet BLOB PRIMARY KEY, replies INTEGER NOT NULL DEFAULT 0, retweets INTEGER NOT NULL DEFAULT 0,
            quotes INTEGER NOT NULL DEFAULT 0, likes INTEGER NOT NULL DEFAULT 0, bookmarks INTEGER NOT NULL DEFAULT 0
            ) WITHOUT ROWID""",
        "account_counts": """(
            account INTEGER PRIMARY KEY, followers INTEGER NOT NULL DEFAULT 0, following INTEGER NOT NULL DEFAULT 0,
            tweets INTEGER NOT NULL DEFAULT 0)""",
    },
    indexes=("CREATE INDEX most_followed_{generation} ON {account_counts} (followers DESC)",),  # recommendations.py
)


class SqliteCountRows:
    """The CountRows port."""

    def __init__(self, connection: apsw.Connection, names: Mapping[str, str]) -> None:
        self._execute = connection.execute
        move = "INSERT INTO {table} ({key}, {n}) VALUES (?, ?) ON CONFLICT DO UPDATE SET {n}={n}+excluded.{n}"
        self._tweet = {
            counter: move.format(table=names["tweet_counts"], key="tweet", n=counter)
            for counter in get_args(TweetCounter)
        }
        self._account = {
            counter: move.format(table=names["account_counts"], key="account", n=counter)
            for counter in get_args(AccountCounter)
        }

    def tweet(self, tweet: TweetId, counter: TweetCounter, change: int) -> None:
        """A counter of a tweet moves."""
        self._execute(self._tweet[counter], (to_bytes(tweet), change))

    def account(self, account: AccountId, counter: AccountCounter, change: int) -> None:
        """A counter of an account moves."""
        self._execute(self._account[counter], (number_of(account), change))


class SqliteCounts:
    """The Counts port."""

    def __init__(self, connection: apsw.Connection, names: Mapping[str, str]) -> None:
        self._execute = connection.execute
        self._of_tweets = """
            SELECT replies, retweets, quotes, likes, bookmarks
            FROM carray(?) LEFT JOIN {tweet_counts} ON tweet=value""".format(**names)
        self._of_accounts = """
            SELECT account, followers, following, tweets
            FROM carray(?) CROSS JOIN {account_counts} ON account=value""".format(**names)

    async def of_tweets(self, tweets: Collection[TweetId]) -> dict[TweetId, TweetCounts]:
        """The counters of tweets."""
        if not tweets:
            return {}
        rows: Any = self._execute(self._of_tweets, (blobs(tweets),)).fetchall()
        return {tweet: TweetCounts(*row) for tweet, row in zip(tweets, rows, strict=True) if row[0] is not None}

    async def of_accounts(self, accounts: Collection[AccountId]) -> dict[AccountId, AccountCounts]:
        """The counters of accounts."""
        if not accounts:
            return {}
        by_number = {number_of(account): account for account in accounts}
        rows: Any = self._execute(self._of_accounts, (numbers(accounts),)).fetchall()
        return {by_number[row[0]]: AccountCounts._make(row[1:]) for row in rows}


MODEL: Model[CountRows, Counts] = Model(COUNTS, SqliteCountRows, SqliteCounts)
