"""Hashtag search on SQLite: the uses of each tag, by its name, and the trigrams of the names."""

from __future__ import annotations

from collections.abc import Collection, Mapping
from typing import Any

import apsw

from events.ids import TweetId, to_bytes
from stores.text.trigrams import name_key, resemblance, trigrams

from ..hashtag_search import MOST_WITH_PREFIX, HashtagSearch, HashtagSearchRows, TagUse
from ..pages import Page
from .model import Model
from .trigrams import candidates
from .views import Tables

HASHTAG_SEARCH = Tables(
    model="hashtag_search",
    version=1,
    tables={
        "hashtag_search_uses": "(tweet BLOB, tag TEXT, PRIMARY KEY (tweet, tag)) WITHOUT ROWID",
        # Two tags may have the same name: #são and #sao.
        "hashtag_search_tags": """(
            name TEXT, tag TEXT, uses INTEGER NOT NULL, PRIMARY KEY (name, tag)) WITHOUT ROWID""",
        "hashtag_search_trigrams": """(
            trigram TEXT, size INTEGER, name TEXT, tag TEXT, PRIMARY KEY (trigram, size, name, tag)) WITHOUT ROWID""",
    },
)
_LAST = "\U0010ffff"


class SqliteHashtagSearchRows:
    """The HashtagSearchRows port. A tag's row is added with its first use and removed with its last."""

    def __init__(self, connection: apsw.Connection, names: Mapping[str, str]) -> None:
        self._execute = connection.execute
        self._executemany = connection.executemany
        self._tags = "SELECT tag FROM {hashtag_search_uses} WHERE tweet=?".format(**names)
        self._add_use = "INSERT INTO {hashtag_search_uses} VALUES (?, ?)".format(**names)
        self._remove_use = "DELETE FROM {hashtag_search_uses} WHERE tweet=? AND tag=?".format(**names)
        self._count = """
            INSERT INTO {hashtag_search_tags} VALUES (?, ?, 1) ON CONFLICT DO UPDATE SET uses = uses + 1
            RETURNING uses""".format(**names)
        self._uncount = """
            UPDATE {hashtag_search_tags} SET uses = uses - 1 WHERE name=? AND tag=? RETURNING uses""".format(**names)
        self._remove = "DELETE FROM {hashtag_search_tags} WHERE name=? AND tag=?".format(**names)
        self._add_trigram = "INSERT INTO {hashtag_search_trigrams} VALUES (?, ?, ?, ?)".format(**names)
        self._remove_trigram = (
            "DELETE FROM {hashtag_search_trigrams} WHERE trigram=? AND size=? AND name=? AND tag=?".format(**names)
        )

    def posted(self, tweet: TweetId, tags: Collection[str]) -> None:
        """Add a tweet with its tags."""
        raw = to_bytes(tweet)
        for tag in tags:
            self._add(raw, tag)

    def edited(self, tweet: TweetId, tags: Collection[str]) -> None:
        """Replace the tags of a tweet."""
        raw = to_bytes(tweet)
        before = {str(tag) for (tag,) in self._execute(self._tags, (raw,))}
        for tag in before.difference(tags):
            self._take(raw, tag)
        for tag in set(tags) - before:
            self._add(raw, tag)

    def deleted(self, tweet: TweetId) -> None:
        """Remove a tweet."""
        self.edited(tweet, ())

    def _add(self, tweet: bytes, tag: str) -> None:
        name = name_key(tag)
        self._execute(self._add_use, (tweet, tag))
        if self._execute(self._count, (name, tag)).get == 1:
            self._executemany(self._add_trigram, _trigram_rows(name, tag))

    def _take(self, tweet: bytes, tag: str) -> None:
        name = name_key(tag)
        self._execute(self._remove_use, (tweet, tag))
        if self._execute(self._uncount, (name, tag)).get == 0:
            self._execute(self._remove, (name, tag))
            self._executemany(self._remove_trigram, _trigram_rows(name, tag))


def _trigram_rows(name: str, tag: str) -> list[tuple[str, int, str, str]]:
    found = trigrams(name)
    return [(trigram, len(found), name, tag) for trigram in found]


class SqliteHashtagSearch:
    """The HashtagSearch port. Cursors are `p`, uses and tag, or `s`, similarity and tag."""

    def __init__(self, connection: apsw.Connection, names: Mapping[str, str]) -> None:
        self._connection = connection
        self._by_prefix = """
            SELECT uses, tag FROM (
                SELECT uses, tag FROM {hashtag_search_tags} WHERE name >= ? AND name < ? ORDER BY name, tag LIMIT ?)
            WHERE (-uses, tag) > (-?, ?) ORDER BY uses DESC, tag LIMIT ?""".format(**names)
        self._by_trigram = """
            SELECT size, name, tag FROM {hashtag_search_trigrams} WHERE trigram=? AND size BETWEEN ? AND ?
            ORDER BY size, name, tag LIMIT ?""".format(**names)
        self._uses = "SELECT uses FROM {hashtag_search_tags} WHERE name=? AND tag=?".format(**names)

    async def find(self, tag: str, before: str | None, limit: int) -> Page[TagUse]:
        """Return a page of the tags that match `tag`, best first. A leading # is ignored."""
        key = name_key(tag.strip().lstrip("#＃"))
        if not key:
            return Page([], None)
        kind, _, position = (before or "p:").partition(":")
        found: list[tuple[TagUse, str]] = []
        if kind == "p":
            found = self._with_prefix(key, position, limit + 1)
            position = ""
        if len(found) <= limit:
            found += self._similar(key, position)
        return Page([use for use, _ in found[:limit]], found[limit - 1][1] if len(found) > limit else None)

    def _with_prefix(self, key: str, after: str, limit: int) -> list[tuple[TagUse, str]]:
        uses, _, tag = after.partition(":")
        rows: Any = self._connection.execute(
            self._by_prefix, (key, key + _LAST, MOST_WITH_PREFIX, int(uses or (1 << 62)), tag, limit)
        )
        return [(TagUse(tag, uses), f"p:{uses}:{tag}") for uses, tag in rows]

    def _similar(self, key: str, after: str) -> list[tuple[TagUse, str]]:
        """Return the similar tags without the prefix, after a cursor."""
        ranked = []
        for name, tag in candidates(self._connection, self._by_trigram, trigrams(key)):
            alike = resemblance(key, name)
            if alike and not name.startswith(key):
                ranked.append((-alike, tag, name))
        ranked.sort()
        if after:
            shown, _, tag = after.partition(":")
            ranked = [row for row in ranked if row[:2] > (-float(shown), tag)]
        return [(TagUse(tag, self._uses_of(name, tag)), f"s:{-alike!r}:{tag}") for alike, tag, name in ranked]

    def _uses_of(self, name: str, tag: str) -> int:
        uses: Any = self._connection.execute(self._uses, (name, tag)).get
        return int(uses)


MODEL: Model[HashtagSearchRows, HashtagSearch] = Model(HASHTAG_SEARCH, SqliteHashtagSearchRows, SqliteHashtagSearch)
