"""Sentiment on SQLite: a row for each tweet, to show it, and a row for each tweet and subject, clustered for series.

To add up 100,000 tweets takes 10 ms. Maintained sums would cost more, since edits and deletions have to correct them.
"""

from __future__ import annotations

from collections.abc import Collection, Mapping
from functools import lru_cache
from typing import Any

import apsw

from events.ids import AccountId, Millis, TweetId, account_number, first_id_at, to_bytes
from events.sentiment import THRESHOLD, label_of

from ..sentiment import Reading, Sentiment, SentimentRows, SentimentStep, Subject
from ..trends import TooMuch
from .binding import blobs
from .buffered import writer
from .model import Model
from .views import Tables

SENTIMENT = Tables(
    model="sentiment",
    version=1,
    tables={
        "scores": "(tweet BLOB PRIMARY KEY, score INTEGER) WITHOUT ROWID",
        "scores_by_subject": """(
            subject,           -- '#tag', '@mention', or the author's number
            tweet BLOB, score INTEGER, PRIMARY KEY (subject, tweet)) WITHOUT ROWID""",
    },
    write_indexes=("CREATE INDEX scores_by_subject_by_tweet_{generation} ON {scores_by_subject} (tweet)",),
)

UNITS = 10_000
"""Scores have four decimals and are stored as integers, so that sums are exact in any order."""
MOST_ADDED_UP = 1_000_000
"""The maximum number of tweets in one series: 100 ms."""


def _key(subject: Subject) -> str | int:
    return subject if subject[0] in "#@" else account_number(AccountId(subject))


@lru_cache(maxsize=2 * UNITS + 1)
def reading_of(units: int) -> Reading:
    """Return the sentiment for a stored score."""
    return Reading(label_of(units / UNITS), units / UNITS)


class SqliteSentimentRows:
    """The SentimentRows port."""

    def __init__(self, connection: apsw.Connection, names: Mapping[str, str]) -> None:
        self._write = writer(connection)
        self._score = "INSERT INTO {scores} VALUES (?, ?)".format(**names)
        self._relate = "INSERT INTO {scores_by_subject} VALUES (?, ?, ?)".format(**names)
        self._withdraw = "DELETE FROM {scores} WHERE tweet=?".format(**names)
        self._unrelate = "DELETE FROM {scores_by_subject} WHERE tweet=?".format(**names)

    def scored(
        self, tweet: TweetId, author: AccountId, score: float, hashtags: Collection[str], mentions: Collection[str]
    ) -> None:
        """Store the score of a tweet."""
        key, units = to_bytes(tweet), round(score * UNITS)
        self._write(self._score, (key, units))
        self._write(self._relate, (account_number(author), key, units))
        for tag in hashtags:
            self._write(self._relate, (f"#{tag}", key, units))
        for name in mentions:
            self._write(self._relate, (f"@{name}", key, units))

    def withdrawn(self, tweet: TweetId) -> None:
        """Remove the score of a tweet."""
        key = to_bytes(tweet)
        self._write(self._withdraw, (key,))
        self._write(self._unrelate, (key,))


class SqliteSentiment:
    """The Sentiment port."""

    def __init__(self, connection: apsw.Connection, names: Mapping[str, str]) -> None:
        self._execute = connection.execute
        self._scores = "SELECT score FROM carray(?) LEFT JOIN {scores} ON tweet=value".format(**names)
        threshold = round(THRESHOLD * UNITS)
        self._moods = f"""
            SELECT count(*), sum(score >= {threshold}), sum(score <= -{threshold}), sum(score)
            FROM {{scores_by_subject}} WHERE subject=? AND tweet >= ? AND tweet < ?""".format(**names)

    async def scores(self, tweets: Collection[TweetId]) -> dict[TweetId, Reading]:
        """Return the sentiment of each tweet. Tweets without a score are left out."""
        if not tweets:
            return {}
        rows: Any = self._execute(self._scores, (blobs(tweets),))
        return {tweet: reading_of(units) for tweet, (units,) in zip(tweets, rows, strict=True) if units is not None}

    async def series(self, subject: Subject, start: Millis, end: Millis, step: int) -> list[SentimentStep]:
        """Return the sentiment of a subject in steps of `step` milliseconds. Raises TooMuch."""
        key = _key(subject)
        series = []
        left = MOST_ADDED_UP
        for at in range(start, end, step):
            bounds = (key, to_bytes(first_id_at(Millis(at))), to_bytes(first_id_at(Millis(at + step))))
            row: Any = self._execute(self._moods, bounds).fetchone()
            count, positive, negative, total = row[0], row[1] or 0, row[2] or 0, row[3] or 0
            left -= count
            if left < 0:
                raise TooMuch(MOST_ADDED_UP)
            mean = round(total / count / UNITS, 4) if count else None
            series.append(SentimentStep(Millis(at), count, positive, count - positive - negative, negative, mean))
        return series


MODEL: Model[SentimentRows, Sentiment] = Model(SENTIMENT, SqliteSentimentRows, SqliteSentiment)
