"""Sentiment on Cassandra: a row for each tweet, to show it, and a row for each tweet and subject, summed by the server.

The rows by subject cannot be filtered when they are read, since the server sums them. So the withdrawal of a score
deletes them. Their subjects are stored beside the score. They are read after the batch is written, since they come both
from earlier batches and from this one. The set of subjects only grows until the rows are deleted, so an interrupted
deletion finds them again. All deletions apply to writes before their event (`replacing`).
"""

from __future__ import annotations

import asyncio
from collections.abc import Collection, Iterator
from functools import lru_cache, partial

from events.ids import AccountId, Millis, TweetId, first_id_at, from_bytes, to_bytes
from events.sentiment import THRESHOLD, label_of

from ..sentiment import Reading, Sentiment, SentimentRows, SentimentStep, Subject
from ..trends import TooMuch
from .address import checked
from .buckets import DAY_MS, ListedRows, Listing
from .model import Model
from .session import CassandraSession, Row
from .sink import CassandraSink

BY_SUBJECT = Listing("scores_by_subject", ("subject",), "tweet", ("score", "positive", "negative"), DAY_MS)
UNITS = 10_000
"""Scores have four decimals and are stored as integers, so that sums are exact in any order."""
_THRESHOLD = round(THRESHOLD * UNITS)
MOST_ADDED_UP = 1_000_000
"""The maximum number of tweets in one series."""
_AT_ONCE = 16


@lru_cache(maxsize=2 * UNITS + 1)
def reading_of(units: int) -> Reading:
    """Return the sentiment for a stored score."""
    return Reading(label_of(units / UNITS), units / UNITS)


class CassandraSentimentRows:
    """The SentimentRows port."""

    def __init__(self, sink: CassandraSink, keyspace: str) -> None:
        self._sink = sink
        self._by_subject = ListedRows(sink, keyspace, BY_SUBJECT)
        name = checked(keyspace)
        # An UPDATE, so that the row disappears with its last cell.
        self._score = f"UPDATE {name}.scores USING TIMESTAMP ? SET score=?, subjects=subjects+? WHERE tweet=?"
        self._withdraw = f"DELETE score FROM {name}.scores USING TIMESTAMP ? WHERE tweet=?"
        self._subjects = f"SELECT subjects FROM {name}.scores WHERE tweet=?"
        self._unrelate = (
            f"DELETE FROM {name}.scores_by_subject USING TIMESTAMP ? WHERE subject=? AND bucket=? AND tweet=?"
        )
        self._forget = f"DELETE subjects FROM {name}.scores USING TIMESTAMP ? WHERE tweet=?"

    def scored(
        self, tweet: TweetId, author: AccountId, score: float, hashtags: Collection[str], mentions: Collection[str]
    ) -> None:
        """Store the score of a tweet."""
        units = round(score * UNITS)
        subjects = {str(author), *(f"#{tag}" for tag in hashtags), *(f"@{name}" for name in mentions)}
        self._sink.write(self._score, self._sink.stamp, units, subjects, to_bytes(tweet))
        for subject in sorted(subjects):
            self._by_subject.put((subject,), tweet, units, int(units >= _THRESHOLD), int(units <= -_THRESHOLD))

    def withdrawn(self, tweet: TweetId) -> None:
        """Remove the score that earlier events stored for a tweet."""
        before = self._sink.replacing
        self._sink.write(self._withdraw, before, to_bytes(tweet))
        self._sink.afterwards((self._subjects, tweet), partial(self._take_along, tweet, before))

    async def _take_along(self, tweet: TweetId, before: int) -> None:
        """Delete the rows by subject, then the stored subjects: never the subjects alone."""
        key, session = to_bytes(tweet), self._sink.session
        for (subjects,) in await session.read(self._subjects, (key,)):
            bucket = BY_SUBJECT.bucket(tweet)
            await session.write([(self._unrelate, (before, subject, bucket, key)) for subject in subjects or ()])
        await session.write([(self._forget, (before, key))])


class CassandraSentiment:
    """The Sentiment port."""

    def __init__(self, session: CassandraSession, keyspace: str) -> None:
        self._session = session
        name = checked(keyspace)
        self._scores = f"SELECT tweet, score FROM {name}.scores WHERE tweet IN ?"
        self._moods = (
            f"SELECT count(*), sum(positive), sum(negative), sum(score) FROM {name}.scores_by_subject"
            " WHERE subject=? AND bucket=? AND tweet>=? AND tweet<?"
        )
        self._buckets = (
            f"SELECT bucket FROM {name}.buckets WHERE list='{BY_SUBJECT.table}' AND owner=? AND bucket>=? AND bucket<=?"
        )

    async def scores(self, tweets: Collection[TweetId]) -> dict[TweetId, Reading]:
        """Return the sentiment of each tweet. Tweets without a score are left out."""
        rows = await self._session.read_by_keys(self._scores, map(to_bytes, tweets))
        return {TweetId(from_bytes(tweet)): reading_of(units) for tweet, units in rows if units is not None}

    async def series(self, subject: Subject, start: Millis, end: Millis, step: int) -> list[SentimentStep]:
        """Return the sentiment of a subject in steps of `step` milliseconds. Raises TooMuch."""
        sums = {at: [0, 0, 0, 0] for at in range(start, end, step)}
        used = await self._used(subject, start, max(sums, default=start) + step)
        parts = [part for at in sums for part in _parts(at, step) if part[1] in used]
        added_up = 0
        for first in range(0, len(parts), _AT_ONCE):
            wave = parts[first : first + _AT_ONCE]
            rows = await asyncio.gather(*(self._sum(subject, *part[1:]) for part in wave))
            for (at, *_), row in zip(wave, rows, strict=True):
                sums[at] = [a + (b or 0) for a, b in zip(sums[at], row, strict=True)]
                added_up += row[0]
            if added_up > MOST_ADDED_UP:
                raise TooMuch(MOST_ADDED_UP)
        return [_mood(at, *numbers) for at, numbers in sums.items()]

    async def _used(self, subject: Subject, start: int, end: int) -> set[int]:
        """Return the days that have rows, so that no empty partition is read."""
        rows = await self._session.read(
            self._buckets, (BY_SUBJECT.index_owner((str(subject),)), start // DAY_MS, end // DAY_MS)
        )
        return {bucket for (bucket,) in rows}

    async def _sum(self, subject: Subject, bucket: int, start: int, end: int) -> Row:
        bounds = (to_bytes(first_id_at(Millis(start))), to_bytes(first_id_at(Millis(end))))
        (row,) = await self._session.read(self._moods, (str(subject), bucket, *bounds))
        return row


def _parts(at: int, step: int) -> Iterator[tuple[int, int, int, int]]:
    """Split a step by days. Yield the step's start, the day, and the start and end of each part."""
    start, end = at, at + step
    while start < end:
        bucket = start // DAY_MS
        stop = min(end, (bucket + 1) * DAY_MS)
        yield at, bucket, start, stop
        start = stop


def _mood(at: int, count: int, positive: int, negative: int, total: int) -> SentimentStep:
    mean = round(total / count / UNITS, 4) if count else None
    return SentimentStep(Millis(at), count, positive, count - positive - negative, negative, mean)


MODEL: Model[SentimentRows, Sentiment] = Model(
    ("scores", "scores_by_subject"), CassandraSentimentRows, CassandraSentiment
)
