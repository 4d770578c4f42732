"""Search on PostgreSQL: our own inverted index, rows of (word, tweet) with a primary key in the order of the tweets.

A query reads the tweets of one word, newest first, and checks the tokens of each for the rest of the query. It chooses
the word that is rarest near the start of the page: for each word it looks up the tweet `PACE` rows further on, and
takes the word for which that tweet is the oldest. A page of one word takes 0.5 ms, however common the word is. A query
stops after 20,000 steps, 20 to 40 ms, and returns a page that is not full. The cost does not depend on the number of
tweets.
docs/explanation/search-on-postgresql.md compares this with a GIN index, which has no order.
"""

from __future__ import annotations

from events.ids import Millis, TweetId, first_id_at
from events.postgres.connections import Connection, Pool

from ..pages import Page
from ..search import Match, Phrase, Query, Search
from .database import fetch
from .model import Model

MOST_STEPS = 20_000
"""The maximum number of tweets read for one page."""
PACE = 200

_LAST = "ffffffff-ffff-ffff-ffff-ffffffffffff"
# OFFSET 0 makes the planner look up each row by its key; it has no statistics of tokens, and may read the whole table.
_UNINDEX = """
DELETE FROM search_postings WHERE ctid = ANY(ARRAY(
    SELECT row.ctid FROM search_tweets AS t, unnest(string_to_array(t.tokens, ' ')) AS token,
        LATERAL (
            SELECT p.ctid FROM search_postings AS p WHERE p.word = search_word(token) AND p.tweet = t.tweet
            OFFSET 0) AS row
    WHERE t.tweet = ANY(%s::uuid[])))"""
_DELETE = "DELETE FROM search_tweets WHERE tweet = ANY(%s::uuid[])"
_EDIT = """
WITH edited AS (
    UPDATE search_tweets AS t SET tokens = e.tokens FROM unnest(%s::uuid[], %s::text[]) AS e(tweet, tokens)
    WHERE t.tweet = e.tweet RETURNING t.tweet, t.tokens)
INSERT INTO search_postings
SELECT DISTINCT search_word(token), tweet FROM edited, unnest(string_to_array(tokens, ' ')) AS token"""
_POST = """
WITH posted AS (
    INSERT INTO search_tweets SELECT * FROM unnest(%s::uuid[], %s::text[]) ON CONFLICT DO NOTHING
    RETURNING tweet, tokens)
INSERT INTO search_postings
SELECT DISTINCT search_word(token), tweet FROM posted, unnest(string_to_array(tokens, ' ')) AS token"""

# OFFSET 0 keeps the join a loop over the steps: it has the order of the answer, and ends with the page. The last row,
# without tokens, is where the walk stopped. The second part of a UNION ALL is executed after the first is used up, so
# it costs nothing if the page is full.
_NEWEST = f"""
WITH rarest AS MATERIALIZED (
    SELECT word FROM (SELECT DISTINCT search_word(token) AS word FROM unnest(%(tokens)s::text[]) AS token) AS asked
    ORDER BY (
        SELECT tweet FROM search_postings AS p
        WHERE p.word = asked.word AND tweet >= %(first)s::uuid AND tweet < %(last)s::uuid
        ORDER BY tweet DESC OFFSET {PACE} LIMIT 1) NULLS FIRST, word
    LIMIT 1),
steps AS NOT MATERIALIZED (
    SELECT tweet FROM search_postings
    WHERE word = (SELECT word FROM rarest) AND tweet >= %(first)s::uuid AND tweet < %(last)s::uuid
    ORDER BY tweet DESC LIMIT {MOST_STEPS})
SELECT tweet::text, tokens FROM (
    SELECT found.tweet, found.tokens FROM steps CROSS JOIN LATERAL (
        SELECT t.tweet, t.tokens, ' ' || t.tokens || ' ' AS spaced FROM search_tweets AS t
        WHERE t.tweet = steps.tweet OFFSET 0) AS found
    WHERE spaced LIKE ALL(%(every)s::text[]) AND NOT spaced LIKE ANY(%(none)s::text[])
    UNION ALL
    (SELECT tweet, NULL FROM steps OFFSET {MOST_STEPS - 1})) AS answer
LIMIT %(limit)s"""


class PostgresSearchRows:
    """The SearchRows port. It keeps the final state of each tweet until the batch is committed."""

    def __init__(self) -> None:
        self._posted: dict[TweetId, str] = {}
        self._edited: dict[TweetId, str] = {}
        self._deleted: set[TweetId] = set()

    def posted(self, tweet: TweetId, tokens: str) -> None:
        """Add a tweet with its tokens."""
        self._posted[tweet] = tokens

    def edited(self, tweet: TweetId, tokens: str) -> None:
        """Replace the tokens of a tweet."""
        if tweet in self._posted:
            self._posted[tweet] = tokens
        elif tweet not in self._deleted:
            self._edited[tweet] = tokens

    def deleted(self, tweet: TweetId) -> None:
        """Remove a tweet."""
        self._edited.pop(tweet, None)
        if self._posted.pop(tweet, None) is None:
            self._deleted.add(tweet)

    async def send(self, connection: Connection) -> None:
        """Write the buffered rows."""
        if self._edited or self._deleted:
            await connection.execute(_UNINDEX, ([*self._edited, *self._deleted],))
        if self._deleted:
            await connection.execute(_DELETE, (list(self._deleted),))
        for sql, tweets in ((_EDIT, self._edited), (_POST, self._posted)):
            if tweets:
                await connection.execute(sql, (list(tweets), list(tweets.values())))

    def clear(self) -> None:
        """Discard the buffered rows."""
        self._posted.clear()
        self._edited.clear()
        self._deleted.clear()


class PostgresSearch:
    """The Search port. Raises StoreUnavailable."""

    def __init__(self, pool: Pool) -> None:
        self._pool = pool

    async def newest(self, query: Query, before: str | None, limit: int) -> Page[Match]:
        """Return a page of the newest matches older than `before`, newest first."""
        if set(query.every) & set(query.none):
            return Page([], None)
        values = {
            "tokens": [token for phrase in query.every for token in phrase],
            "every": list(map(_pattern, query.every)),
            "none": list(map(_pattern, query.none)),
            "first": _bound(query.since) if query.since is not None else _bound(Millis(0)),
            "last": min(before or _LAST, _bound(query.until) if query.until is not None else _LAST),
            "limit": limit + 1,
        }
        rows = await fetch(self._pool, _NEWEST, values)
        matches = [Match(TweetId(tweet), tokens) for tweet, tokens in rows if tokens is not None]
        if len(matches) > limit:
            return Page(matches[:limit], matches[limit - 1].tweet)
        return Page(matches, rows[-1][0] if len(matches) < len(rows) else None)


def _pattern(phrase: Phrase) -> str:
    """Return the LIKE pattern of a phrase in tokens with spaces around.

    Of LIKE's signs, tokens have only the underscore.
    """
    return f"% {' '.join(phrase)} %".replace("_", r"\_")


def _bound(time: Millis) -> str:
    return first_id_at(Millis(time))


MODEL: Model[PostgresSearchRows, Search] = Model(
    ("search_tweets", "search_postings"), PostgresSearchRows, PostgresSearch
)
