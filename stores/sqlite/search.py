"""Search on SQLite: an FTS5 index over a table of tokens, whose row ids have the order of the tweets.

So `ORDER BY rowid DESC LIMIT n` needs only the index: 60 us for a word that is in every third of 500,000 tweets.
Ranking all of them by bm25() takes 640 ms.

A row id is made from the front of the tweet's id: 43 bits of milliseconds, 12 bits that count within one, 8 random
bits. Imported tweets may agree in all of these, since their times are whole seconds. Such tweets take consecutive row
ids in the order of their whole ids. The table is an ordered hash table (Amble and Knuth, Ordered hash tables, The
Computer Journal 17(2), 1974): its layout depends on the tweets in it, not on their order of insertion (law 3).
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import apsw

from events.ids import Millis, TweetId, first_id_at, from_bytes, to_bytes

from ..pages import Page
from ..search import Match, Phrase, Query, Search, SearchRows
from .model import Model
from .views import Tables

SEARCH = Tables(
    model="search",
    version=1,
    tables={
        "search_tweets": "(row INTEGER PRIMARY KEY, tweet BLOB NOT NULL, tokens TEXT NOT NULL)",
        # All non-ASCII characters belong to tokens here, so it splits at spaces only. No column sizes: only bm25()
        # needs them.
        "search_index": """USING fts5(tokens, content='{search_tweets}', content_rowid='row', columnsize=0,
            tokenize="ascii tokenchars '_'")""",
        # The index's own view: for each token the number of tweets and of occurrences.
        "search_terms": "USING fts5vocab('{search_index}', 'row')",
    },
    digests={"search_index": None},
    indexed={"search_tweets": "INSERT INTO {search_index}(rowid, tokens) VALUES (?1, ?3)"},
)
_BITS = 20
_MS = 1 << _BITS
_LAST = (1 << 63) - 1
_LAST_MS = _LAST >> _BITS  # in the year 2248


def home_row(tweet: bytes) -> int:
    """Return the row id of a tweet, before it is moved past other tweets with the same front of the id."""
    front = int.from_bytes(tweet[:10], "big")  # 48 bits of ms, 4 of version, 12 of counter, 2 of variant, 14 random
    return min(front >> 32, _LAST_MS) << _BITS | (front >> 16 & 0xFFF) << 8 | (front >> 6 & 0xFF)


class SqliteSearchRows:
    """The SearchRows port. The row of a tweet is searched for from its home row on.

    If `names` has no index, as in a file that a rebuild fills, no index is kept.
    """

    def __init__(self, connection: apsw.Connection, names: Mapping[str, str]) -> None:
        self._execute = connection.execute
        self._add = "INSERT INTO {search_tweets} VALUES (?, ?, ?)".format(**names)
        index = {"search_index": "", **names}
        self._index = "INSERT INTO {search_index}(rowid, tokens) VALUES (?, ?)".format(**index)
        self._at = "SELECT tweet, tokens FROM {search_tweets} WHERE row=?".format(**names)
        self._remove = "DELETE FROM {search_tweets} WHERE row=?".format(**names)
        self._unindex = "INSERT INTO {search_index}({search_index}, rowid, tokens) VALUES ('delete', ?, ?)".format(
            **index
        )
        self._has_index = "search_index" in names
        # Without this the index keeps the tokens of a deleted tweet until its segments are merged.
        secure = "SELECT v FROM {search_index}_config WHERE k='secure-delete'"
        if self._has_index and connection.execute(secure.format(**names)).get != 1:
            self._execute(
                "INSERT INTO {search_index}({search_index}, rank) VALUES ('secure-delete', 1)".format(**names)
            )

    def posted(self, tweet: TweetId, tokens: str) -> None:
        """Add a tweet with its tokens."""
        raw = to_bytes(tweet)
        row = home_row(raw)
        try:
            self._put(row, raw, tokens)
        except apsw.ConstraintError:
            self._put_after(row, raw, tokens)

    def edited(self, tweet: TweetId, tokens: str) -> None:
        """Replace the tokens of a tweet."""
        raw = to_bytes(tweet)
        found = self._find(raw)
        if found is not None:
            self._take(*found)
            self._put(found[0], raw, tokens)

    def deleted(self, tweet: TweetId) -> None:
        """Remove a tweet, and move the tweets that it had displaced back towards their home rows."""
        found = self._find(to_bytes(tweet))
        if found is None:
            return
        self._take(*found)
        row = found[0]
        while (after := self._occupant(row + 1)) is not None and home_row(after[0]) <= row:
            self._take(row + 1, after[1])
            self._put(row, *after)
            row += 1

    def _put(self, row: int, tweet: bytes, tokens: str) -> None:
        self._execute(self._add, (row, tweet, tokens))
        if self._has_index:
            self._execute(self._index, (row, tokens))

    def _put_after(self, row: int, tweet: bytes, tokens: str) -> None:
        """Insert into a run of rows, which is in the order of the ids. The rows after it move on by one."""
        while (occupant := self._occupant(row)) is not None:
            if occupant[0] > tweet:
                self._take(row, occupant[1])
                self._put(row, tweet, tokens)
                tweet, tokens = occupant
            row += 1
        self._put(row, tweet, tokens)

    def _take(self, row: int, tokens: str) -> None:
        if self._has_index:
            self._execute(self._unindex, (row, tokens))
        self._execute(self._remove, (row,))

    def _occupant(self, row: int) -> tuple[bytes, str] | None:
        return self._execute(self._at, (row,)).fetchone()

    def _find(self, tweet: bytes) -> tuple[int, str] | None:
        row = home_row(tweet)
        while (occupant := self._occupant(row)) is not None:
            if occupant[0] == tweet:
                return row, occupant[1]
            row += 1
        return None


def expression(query: Query) -> str:
    """Return the query in FTS5's language. Tokens have no character with a meaning there."""
    found = " AND ".join(map(_phrase, query.every))
    return f"({found}) NOT ({' OR '.join(map(_phrase, query.none))})" if query.none else found


def _phrase(phrase: Phrase) -> str:
    return f'"{" ".join(phrase)}"'


def _bound(time: Millis) -> bytes:
    return to_bytes(first_id_at(Millis(time)))


class SqliteSearch:
    """The Search port."""

    def __init__(self, connection: apsw.Connection, names: Mapping[str, str]) -> None:
        self._execute = connection.execute
        # The ids bound the result, the rows bound the scan: rows of one ms may reach into the next.
        self._newest = """
            SELECT tweet, t.tokens FROM {search_index} JOIN {search_tweets} t ON t.row = {search_index}.rowid
            WHERE {search_index} MATCH ? AND {search_index}.rowid BETWEEN ? AND ? AND tweet >= ? AND tweet < ?
            ORDER BY {search_index}.rowid DESC LIMIT ?""".format(**names)

    async def newest(self, query: Query, before: str | None, limit: int) -> Page[Match]:
        """Return a page of the newest matches older than `before`, newest first."""
        if set(query.every) & set(query.none):
            return Page([], None)  # otherwise FTS5 reads all tweets with the word only to leave them out
        first = _bound(query.since) if query.since is not None else bytes(16)
        last = b"\xff" * 16
        if query.until is not None:
            last = _bound(query.until)
        if before is not None:
            last = min(last, to_bytes(before))
        rows: Any = self._execute(
            self._newest,
            (expression(query), home_row(first), min(home_row(last) + _MS, _LAST), first, last, limit + 1),
        )
        matches = [Match(TweetId(from_bytes(tweet)), tokens) for tweet, tokens in rows]
        return Page(matches[:limit], matches[limit - 1].tweet if len(matches) > limit else None)


MODEL: Model[SearchRows, Search] = Model(SEARCH, SqliteSearchRows, SqliteSearch)
