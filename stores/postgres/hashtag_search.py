"""Hashtag search on PostgreSQL: the uses of each tag, by its name, and the trigrams of the names.

Two workers count the same tag, each for the authors of its partitions. So a batch adds the change of each tag's uses,
in the order of the tags, in one statement: a concurrent batch waits for it, and no deadlock is possible.
"""

from __future__ import annotations

from collections.abc import Collection

from events.ids import TweetId
from events.postgres.connections import Connection, Pool
from stores.text.trigrams import name_key, resemblance

from ..hashtag_search import MOST_WITH_PREFIX, HashtagSearch, TagUse
from ..pages import Page
from .database import fetch
from .model import Model
from .trigrams import candidates, wanted

_LAST = "\U0010ffff"

# A tag's row and trigrams are inserted with its first use, when its total equals this batch's change. The statement
# returns the tags that have no use left.
_COUNT = """
WITH wanted AS (SELECT * FROM unnest(%(of)s::uuid[], %(tags)s::text[], %(names)s::text[]) AS w(tweet, tag, name)),
gone AS (
    DELETE FROM hashtag_search_uses AS u WHERE tweet = ANY(%(tweets)s::uuid[])
        AND NOT EXISTS (SELECT FROM wanted AS w WHERE w.tweet = u.tweet AND w.tag = u.tag)
    RETURNING tag),
come AS (
    INSERT INTO hashtag_search_uses SELECT tweet, tag FROM wanted ON CONFLICT DO NOTHING RETURNING tag),
change AS (
    SELECT tag, sum(uses)::bigint AS uses
    FROM (SELECT tag, 1 AS uses FROM come UNION ALL SELECT tag, -1 FROM gone) AS counted
    GROUP BY tag HAVING sum(uses) <> 0),
changed AS (
    INSERT INTO hashtag_search_tags AS t
    SELECT tag, coalesce(
        (SELECT name FROM wanted AS w WHERE w.tag = c.tag LIMIT 1),
        (SELECT name FROM hashtag_search_tags AS old WHERE old.tag = c.tag)), uses
    FROM change AS c ORDER BY tag
    ON CONFLICT (tag) DO UPDATE SET uses = t.uses + excluded.uses
    RETURNING tag, name, uses),
new AS (
    INSERT INTO hashtag_search_trigrams SELECT t.trigram, t.size, changed.name, tag
    FROM changed JOIN change USING (tag), name_trigrams(changed.name) AS t WHERE changed.uses = change.uses)
SELECT tag FROM changed WHERE uses = 0"""
# OFFSET 0 makes the planner look up each row by its key; otherwise it may read the whole table.
_REMOVE = """
WITH unused AS (DELETE FROM hashtag_search_tags WHERE tag = ANY(%s::text[]) RETURNING name, tag)
DELETE FROM hashtag_search_trigrams WHERE ctid = ANY(ARRAY(
    SELECT row.ctid FROM unused AS u, name_trigrams(u.name) AS old,
        LATERAL (
            SELECT t.ctid FROM hashtag_search_trigrams AS t
            WHERE t.trigram = old.trigram AND t.size = old.size AND t.name = u.name AND t.tag = u.tag
            OFFSET 0) AS row))"""

_BY_PREFIX = f"""
SELECT uses, tag FROM (
    SELECT uses, tag FROM hashtag_search_tags WHERE name >= %(key)s AND name < %(end)s
    ORDER BY name, tag LIMIT {MOST_WITH_PREFIX}) AS t
WHERE (-uses, tag) > (-%(uses)s::bigint, %(tag)s) ORDER BY uses DESC, tag LIMIT %(limit)s"""
_SIMILAR = f"""
WITH best AS MATERIALIZED ({candidates("hashtag_search_trigrams", "name, tag")})
SELECT best.name, best.tag, uses FROM best JOIN hashtag_search_tags AS t ON t.tag = best.tag"""


class PostgresHashtagSearchRows:
    """The HashtagSearchRows port. It keeps the final tags of each tweet until the batch is committed."""

    def __init__(self) -> None:
        self._tags: dict[TweetId, frozenset[str]] = {}
        self._taken = False

    def posted(self, tweet: TweetId, tags: Collection[str]) -> None:
        """Add a tweet with its tags."""
        self._tags[tweet] = frozenset(tags)

    def edited(self, tweet: TweetId, tags: Collection[str]) -> None:
        """Replace the tags of a tweet."""
        self._tags[tweet] = frozenset(tags)
        self._taken = True

    def deleted(self, tweet: TweetId) -> None:
        """Remove a tweet."""
        self.edited(tweet, ())

    async def send(self, connection: Connection) -> None:
        """Write the buffered rows."""
        if not self._tags:
            return
        rows = [(tweet, tag) for tweet, tags in self._tags.items() for tag in tags]
        values = {
            "tweets": list(self._tags),
            "of": [tweet for tweet, _ in rows],
            "tags": [tag for _, tag in rows],
            "names": [name_key(tag) for _, tag in rows],
        }
        counted = await connection.execute(_COUNT, values)
        if self._taken:
            unused = [tag for (tag,) in await counted.fetchall()]
            if unused:
                await connection.execute(_REMOVE, (unused,))

    def clear(self) -> None:
        """Discard the buffered rows."""
        self._tags.clear()
        self._taken = False


class PostgresHashtagSearch:
    """The HashtagSearch port. Cursors are `p`, uses and tag, or `s`, similarity and tag. Raises StoreUnavailable."""

    def __init__(self, pool: Pool) -> None:
        self._pool = pool

    async def find(self, tag: str, before: str | None, limit: int) -> Page[TagUse]:
        """Return a page of the tags that match `tag`, best first. A leading # is ignored."""
        key = name_key(tag.strip().lstrip("#＃"))
        if not key:
            return Page([], None)
        kind, _, position = (before or "p:").partition(":")
        found: list[tuple[TagUse, str]] = []
        if kind == "p":
            found = await self._with_prefix(key, position, limit + 1)
            position = ""
        if len(found) <= limit:
            found += await self._similar(key, position)
        return Page([use for use, _ in found[:limit]], found[limit - 1][1] if len(found) > limit else None)

    async def _with_prefix(self, key: str, after: str, limit: int) -> list[tuple[TagUse, str]]:
        uses, _, tag = after.partition(":")
        values = {"key": key, "end": key + _LAST, "uses": int(uses or (1 << 62)), "tag": tag, "limit": limit}
        rows = await fetch(self._pool, _BY_PREFIX, values)
        return [(TagUse(tag, uses), f"p:{uses}:{tag}") for uses, tag in rows]

    async def _similar(self, key: str, after: str) -> list[tuple[TagUse, str]]:
        """Return the similar tags without the prefix, after a cursor."""
        ranked = []
        for name, tag, uses in await fetch(self._pool, _SIMILAR, wanted(key)):
            alike = resemblance(key, name)
            if alike and not name.startswith(key):
                ranked.append((-alike, tag, uses))
        ranked.sort()
        if after:
            shown, _, tag = after.partition(":")
            ranked = [row for row in ranked if row[:2] > (-float(shown), tag)]
        return [(TagUse(tag, uses), f"s:{-alike!r}:{tag}") for alike, tag, uses in ranked]


MODEL: Model[PostgresHashtagSearchRows, HashtagSearch] = Model(
    ("hashtag_search_uses", "hashtag_search_tags", "hashtag_search_trigrams"),
    PostgresHashtagSearchRows,
    PostgresHashtagSearch,
)
