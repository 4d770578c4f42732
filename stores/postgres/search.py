"""Search on PostgreSQL: an inverted index of our own, rows of (word, tweet) whose primary key sorts as the tweets do.

A query walks through the tweets of one word, newest first, and looks at the tokens of each for the rest of what is
asked. The word is the one that is rarest where the walk begins: of each, the tweet is sought that is `PACE` further
down, and the word with the oldest such tweet takes the longest steps. A page of one word takes 0.5 ms however common
it is, and 20,000 steps, after which a page stays short, 20 to 40 ms; nothing depends on how many tweets there are.
docs/explanation/search-on-postgresql.md compares this with a GIN index, which cannot order.
"""

from __future__ import annotations

from events.ids import Millis, TweetId, first_id_at
from events.postgres.connections import Connection, Pool

from ..pages import Page
from ..search import Match, Phrase, Query, Search
from .database import fetch
from .model import Model

MOST_STEPS = 20_000
"""Tweets that are looked at for one page."""
PACE = 200

_LAST = "ffffffff-ffff-ffff-ffff-ffffffffffff"
# OFFSET 0 has each row looked up by its key; the planner, who knows no tokens, might rather read the whole table.
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

# OFFSET 0 keeps the join a loop over the steps: their order is that of the answer, and it ends with the page. The
# last row, without tokens, is where the walk stopped; what comes second in a UNION ALL is made when the first is used
# up, so it costs nothing where the page is full.
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
    """The SearchRows port, and what of it waits for the batch to land: of each tweet what it is at the end."""

    def __init__(self) -> None:
        self._posted: dict[TweetId, str] = {}
        self._edited: dict[TweetId, str] = {}
        self._deleted: set[TweetId] = set()

    def posted(self, tweet: TweetId, tokens: str) -> None:
        """A tweet is there."""
        self._posted[tweet] = tokens

    def edited(self, tweet: TweetId, tokens: str) -> None:
        """A tweet has other tokens from now on."""
        if tweet in self._posted:
            self._posted[tweet] = tokens
        elif tweet not in self._deleted:
            self._edited[tweet] = tokens

    def deleted(self, tweet: TweetId) -> None:
        """A tweet is gone."""
        self._edited.pop(tweet, None)
        if self._posted.pop(tweet, None) is None:
            self._deleted.add(tweet)

    async def land(self, connection: Connection) -> None:
        """Write them."""
        if self._edited or self._deleted:
            await connection.execute(_UNINDEX, ([*self._edited, *self._deleted],))
        if self._deleted:
            await connection.execute(_DELETE, (list(self._deleted),))
        for sql, tweets in ((_EDIT, self._edited), (_POST, self._posted)):
            if tweets:
                await connection.execute(sql, (list(tweets), list(tweets.values())))

    def clear(self) -> None:
        """Forget them."""
        self._posted.clear()
        self._edited.clear()
        self._deleted.clear()


class PostgresSearch:
    """The Search port. Raises StoreUnavailable."""

    def __init__(self, pool: Pool) -> None:
        self._pool = pool

    async def newest(self, query: Query, before: str | None, limit: int) -> Page[Match]:
        """The newest tweets that match."""
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
    """A phrase for LIKE, among tokens with spaces around. Of its signs, tokens have only the underscore."""
    return f"% {' '.join(phrase)} %".replace("_", r"\_")


def _bound(time: Millis) -> str:
    return first_id_at(Millis(time))


MODEL: Model[PostgresSearchRows, Search] = Model(
    ("search_tweets", "search_postings"), PostgresSearchRows, PostgresSearch
)
