"""Counters on SQLite: a row for each tweet and each account, inserted with its first change."""

from __future__ import annotations

from collections.abc import Collection, Mapping, Sequence
from functools import cache
from typing import Any

import apsw

from events.ids import AccountId, TweetId, to_bytes

from ..counts import AccountCounter, AccountCounts, CountRows, Counts, TweetCounter, TweetCounts
from .binding import blobs, number_of, numbers
from .buffered import writer
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
    indexes=("CREATE INDEX most_followed_{generation} ON {account_counts} (followers DESC)",),  # for recommendations.py
)


def _moved(table: str, key: str, counters: Sequence[str]) -> str:
    """Return one statement for all counters of a row, so that many changes are one run of it."""
    moves = ", ".join(f"{counter}={counter}+excluded.{counter}" for counter in counters)
    places = ", ".join("?" * len(counters))
    return f"INSERT INTO {table} ({key}, {', '.join(counters)}) VALUES (?, {places}) ON CONFLICT DO UPDATE SET {moves}"


@cache
def _only(change: int, counter: str, counters: tuple[str, ...]) -> tuple[int, ...]:
    return tuple(change if counter == other else 0 for other in counters)


class SqliteCountRows:
    """The CountRows port."""

    def __init__(self, connection: apsw.Connection, names: Mapping[str, str]) -> None:
        self._write = writer(connection)
        self._tweet = _moved(names["tweet_counts"], "tweet", TweetCounts.__struct_fields__)
        self._account = _moved(names["account_counts"], "account", AccountCounts._fields)

    def tweet(self, tweet: TweetId, counter: TweetCounter, change: int) -> None:
        """Add `change` to a counter of a tweet."""
        self._write(self._tweet, (to_bytes(tweet), *_only(change, counter, TweetCounts.__struct_fields__)))

    def account(self, account: AccountId, counter: AccountCounter, change: int) -> None:
        """Add `change` to a counter of an account."""
        self._write(self._account, (number_of(account), *_only(change, counter, AccountCounts._fields)))


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
        """Return the counters of each tweet."""
        if not tweets:
            return {}
        rows: Any = self._execute(self._of_tweets, (blobs(tweets),)).fetchall()
        return {tweet: TweetCounts(*row) for tweet, row in zip(tweets, rows, strict=True) if row[0] is not None}

    async def of_accounts(self, accounts: Collection[AccountId]) -> dict[AccountId, AccountCounts]:
        """Return the counters of each account."""
        if not accounts:
            return {}
        by_number = {number_of(account): account for account in accounts}
        rows: Any = self._execute(self._of_accounts, (numbers(accounts),)).fetchall()
        return {by_number[row[0]]: AccountCounts._make(row[1:]) for row in rows}


MODEL: Model[CountRows, Counts] = Model(COUNTS, SqliteCountRows, SqliteCounts)
