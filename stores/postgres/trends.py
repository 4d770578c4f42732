"""Trends on PostgreSQL: one row for each tag of a tweet, and one for each tag and hour with its number of authors.

Two workers count the same tag, each for the authors of its partitions: all tweets of an author are in one partition. So
one statement of a batch adds the change in the number of authors for each hour and tag, ordered by hour and tag; a
concurrent batch waits for it.

A window is counted in one statement, which counts the 200 tags with the most author-hours exactly: 24 hours with
200,000 uses of 110,000 tags take 220 ms, one of these hours 28 ms (docs/adr/0016). So processes share their answers.
"""

from __future__ import annotations

from collections.abc import Collection, Mapping, Sequence
from typing import Any

from events.ids import AccountId, Millis, TweetId, account_number, first_id_at, millis
from events.postgres.connections import Connection, Pool

from ..trends import CANDIDATES, DAYS_BEFORE, HOUR, TagNumbers, TagSample, TagUses, TooMuch, Trends, WindowNumbers
from .database import fetch
from .model import Model

MOST_ADDED_UP = 300_000
"""The maximum number of uses in one history."""
_LATEST = 100
"""The number of latest uses from which a tag's spelling is chosen."""

# All parts of the statement see the rows from before it. An author counts in an hour while any use is left.
_COUNT = """
WITH wanted AS (
    SELECT * FROM unnest(%(of)s::uuid[], %(tags)s::text[], %(hours)s::integer[], %(authors)s::bigint[],
        %(written)s::text[]) AS w(tweet, tag, hour, author, written)),
gone AS (
    DELETE FROM tag_uses AS u WHERE tweet = ANY(%(taken)s::uuid[])
        AND NOT EXISTS (SELECT FROM wanted AS w WHERE w.tweet = u.tweet AND w.tag = u.tag)
    RETURNING hour, tag, author),
rewritten AS (
    UPDATE tag_uses AS u SET written = w.written FROM wanted AS w
    WHERE u.tweet = ANY(%(taken)s::uuid[]) AND w.tweet = u.tweet AND w.tag = u.tag
        AND w.written IS DISTINCT FROM u.written),
come AS (
    INSERT INTO tag_uses SELECT tweet, tag, hour, author, written FROM wanted ON CONFLICT DO NOTHING
    RETURNING hour, tag, author),
change AS (
    SELECT hour, tag, author, sum(uses) AS uses
    FROM (SELECT hour, tag, author, 1 AS uses FROM come UNION ALL SELECT hour, tag, author, -1 FROM gone) AS counted
    GROUP BY hour, tag, author),
counted AS (
    SELECT hour, tag, (before.uses + change.uses > 0)::integer - (before.uses > 0)::integer AS authors
    FROM change CROSS JOIN LATERAL (
        SELECT count(*) AS uses FROM tag_uses AS u
        WHERE u.tag = change.tag AND u.hour = change.hour AND u.author = change.author) AS before),
changed AS (
    INSERT INTO tag_hours AS t
    SELECT hour, tag, sum(authors) FROM counted GROUP BY hour, tag HAVING sum(authors) <> 0 ORDER BY hour, tag
    ON CONFLICT (hour, tag) DO UPDATE SET authors = t.authors + excluded.authors
    RETURNING hour, tag, authors)
SELECT hour, tag FROM changed WHERE authors = 0"""
_SWEEP = """
DELETE FROM tag_hours AS t USING unnest(%s::integer[], %s::text[]) AS w(hour, tag)
WHERE t.hour = w.hour AND t.tag = w.tag"""
_REACH = """
INSERT INTO trend_clock AS c VALUES (0, %s, %s) ON CONFLICT (one) DO UPDATE
SET time = greatest(c.time, excluded.time), recorded = greatest(c.recorded, excluded.recorded)
WHERE c.time < excluded.time OR c.recorded < excluded.recorded"""

NUMBERS = f"""
WITH candidates AS MATERIALIZED (
    SELECT tag, sum(authors) AS strength FROM tag_hours WHERE hour BETWEEN %(first)s AND %(last)s
    GROUP BY tag ORDER BY strength DESC, tag LIMIT {CANDIDATES}),
observed AS (
    SELECT tag, strength, uses, authors, repeaters, author_hours, (
        SELECT coalesce(sum(h.authors), 0) FROM tag_hours AS h
        WHERE h.tag = c.tag AND h.hour >= %(earliest)s AND h.hour < %(latest)s
            AND (h.hour - %(earliest)s) %% 24 < %(hours)s) AS before
    FROM candidates AS c CROSS JOIN LATERAL (
        SELECT sum(uses) AS uses, count(*) AS authors, count(*) FILTER (WHERE uses > 1) AS repeaters,
            sum(hours) AS author_hours
        FROM (
            SELECT author, sum(uses) AS uses, count(*) AS hours FROM (
                SELECT author, count(*) AS uses FROM tag_uses AS u
                WHERE u.tag = c.tag AND hour BETWEEN %(first)s AND %(last)s
                    AND tweet >= %(start)s::uuid AND tweet < %(end)s::uuid
                GROUP BY hour, author) AS by_hour
            GROUP BY author) AS by_author) AS seen
    WHERE authors > 0),
past AS (
    SELECT count(*) AS days FROM generate_series(0, {DAYS_BEFORE - 1}) AS day WHERE EXISTS (
        SELECT FROM tag_hours WHERE hour >= %(earliest)s + 24 * day AND hour < %(earliest)s + 24 * day + %(hours)s))
SELECT days, tag, uses, authors, repeaters, author_hours, before FROM past LEFT JOIN observed ON true
ORDER BY strength DESC, tag"""
"""Counts a window. Each row has the number of days; without any tag, one row has only that."""
_SHOWN = f"""
SELECT tag, tweet::text, written FROM unnest(%(tags)s::text[]) AS asked(tag) CROSS JOIN LATERAL (
    SELECT tweet, coalesce(written, u.tag) AS written FROM tag_uses AS u
    WHERE u.tag = asked.tag AND hour BETWEEN %(first)s AND %(last)s
        AND tweet >= %(start)s::uuid AND tweet < %(end)s::uuid
    ORDER BY hour DESC, author, tweet LIMIT {_LATEST}) AS latest"""
_HISTORY = """
WITH uses AS MATERIALIZED (
    SELECT (hour - %(first)s) / %(hours)s AS step, author FROM tag_uses
    WHERE tag = %(tag)s AND hour >= %(first)s AND hour < %(end)s LIMIT %(most)s)
SELECT step, count(*), count(DISTINCT author) FROM uses GROUP BY step"""
_AS_OF = "SELECT recorded FROM trend_clock"


class PostgresTrendRows:
    """The TrendRows port. It keeps the final tags of each tweet until the batch is committed."""

    def __init__(self) -> None:
        self._tweets: dict[TweetId, tuple[int, Mapping[str, str]]] = {}
        self._taken: set[TweetId] = set()
        self._reached: tuple[int, int] | None = None

    def posted(self, tweet: TweetId, author: AccountId, tags: Mapping[str, str]) -> None:
        """Add a tweet with its tags."""
        self._tweets[tweet] = (account_number(author), tags)

    def edited(self, tweet: TweetId, author: AccountId, tags: Mapping[str, str]) -> None:
        """Replace the tags of a tweet."""
        self._taken.add(tweet)
        self.posted(tweet, author, tags)

    def deleted(self, tweet: TweetId) -> None:
        """Remove a tweet and its uses of tags."""
        self._taken.add(tweet)
        self._tweets.pop(tweet, None)

    def reached(self, time: Millis, recorded: Millis) -> None:
        """Record the time of an applied event, and the time at which it was appended."""
        before = self._reached or (time, recorded)
        self._reached = max(before[0], time), max(before[1], recorded)

    async def send(self, connection: Connection) -> None:
        """Write the buffered rows. The clock is last, since all workers update its one row."""
        rows = [
            (tweet, tag, millis(tweet) // HOUR, author, None if written == tag else written)
            for tweet, (author, tags) in self._tweets.items()
            for tag, written in tags.items()
        ]
        if rows or self._taken:
            columns = [list(column) for column in zip(*rows, strict=True)] or [[]] * 5
            values = dict(zip(("of", "tags", "hours", "authors", "written"), columns, strict=True))
            counted = await connection.execute(_COUNT, {**values, "taken": list(self._taken)})
            if self._taken:
                unused = await counted.fetchall()
                if unused:
                    await connection.execute(_SWEEP, ([hour for hour, _ in unused], [tag for _, tag in unused]))
        if self._reached is not None:
            await connection.execute(_REACH, self._reached)

    def clear(self) -> None:
        """Discard the buffered rows."""
        self._tweets.clear()
        self._taken.clear()
        self._reached = None


class PostgresTrends:
    """The Trends port. Raises StoreUnavailable."""

    def __init__(self, pool: Pool) -> None:
        self._pool = pool

    async def numbers(self, start: Millis, end: Millis) -> WindowNumbers:
        """Return the numbers of the tags in a window."""
        return counted(await fetch(self._pool, NUMBERS, window(start, end)))

    async def shown(self, tags: Collection[str], start: Millis, end: Millis) -> dict[str, TagSample]:
        """Return the spelling and the sample for each tag in a window, by its latest uses there."""
        uses: dict[str, list[tuple[str, str]]] = {}
        for tag, tweet, written in await fetch(self._pool, _SHOWN, {"tags": list(tags), **window(start, end)}):
            uses.setdefault(tag, []).append((tweet, written))
        shown = {}
        for tag, latest in uses.items():
            written = [form for _, form in latest]
            usual = min(set(written), key=lambda form: (-written.count(form), form))
            shown[tag] = TagSample(usual, TweetId(max(tweet for tweet, _ in latest)))
        return shown

    async def history(self, tag: str, start: Millis, end: Millis, step: int) -> list[TagUses]:
        """Return the uses of a tag in steps of whole hours. Raises TooMuch."""
        starts = range(start, end, step)
        first, hours = start // HOUR, step // HOUR
        values = {
            "tag": tag,
            "first": first,
            "end": first + hours * len(starts),
            "hours": hours,
            "most": MOST_ADDED_UP + 1,
        }
        found = {at: numbers for at, *numbers in await fetch(self._pool, _HISTORY, values)}
        if sum(uses for uses, _ in found.values()) > MOST_ADDED_UP:
            raise TooMuch(MOST_ADDED_UP)
        return [TagUses(Millis(at), *found.get(n, (0, 0))) for n, at in enumerate(starts)]

    async def as_of(self) -> Millis | None:
        """Return the time at which the newest counted tweet, edit or deletion was appended; None before the first."""
        rows = await fetch(self._pool, _AS_OF, ())
        return Millis(rows[0][0]) if rows else None


def window(start: Millis, end: Millis) -> dict[str, Any]:
    """Return the parameters of NUMBERS. The days before are counted by whole hours, nearest to the window's."""
    hours = (end - start) // HOUR
    earliest = (start + HOUR // 2) // HOUR - 24 * DAYS_BEFORE
    return {
        "first": start // HOUR,
        "last": (end - 1) // HOUR,
        "start": _id(start),
        "end": _id(end),
        "hours": hours,
        "earliest": earliest,
        "latest": earliest + 24 * (DAYS_BEFORE - 1) + hours,
    }


def counted(rows: Sequence[tuple[Any, ...]]) -> WindowNumbers:
    """Convert the rows of NUMBERS."""
    tags = [TagNumbers(str(tag), *map(int, numbers)) for _, tag, *numbers in rows if tag is not None]
    return WindowNumbers(tags, rows[0][0])


def _id(time: int) -> str:
    return first_id_at(Millis(time))


# The tables of windows are left out: the workers' turns decide which windows are ranked, and when. Rankings follow from
# the tables below.
MODEL: Model[PostgresTrendRows, Trends] = Model(
    ("tag_uses", "tag_hours", "trend_clock"), PostgresTrendRows, PostgresTrends
)
