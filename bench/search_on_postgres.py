"""Search of tweets on PostgreSQL: ours beside a GIN index: `python -m bench.search_on_postgres URL`. Some minutes.

The figures of docs/explanation/search-on-postgresql.md. The tweets have 4 to 18 words of 60,000, drawn by Zipf's law;
three of ten have a hashtag, four of ten a mention, by 20,000 authors; one tag is in a tenth of the older half and in no
newer tweet. Both schemas are dropped at the end.
"""

from __future__ import annotations

import argparse
import asyncio
import random
import statistics
import time
from collections.abc import Awaitable, Callable, Iterator
from itertools import accumulate

from events.ids import Millis, TweetId, id_at
from events.log import Positions, TopicPartition
from events.postgres.connections import Connection
from stores.postgres.database import Database
from stores.postgres.search import PostgresSearch, PostgresSearchRows
from stores.postgres.sink import PostgresSink
from stores.search import Query

START = Millis(1_760_000_000_000)
BATCH = 500
WINDOW = 4000
ROUNDS = 9
_GIN = """
CREATE TABLE tweets (tweet uuid PRIMARY KEY, tokens text COLLATE "C" NOT NULL, vector tsvector NOT NULL);
CREATE INDEX by_token ON tweets USING gin (vector);
CREATE FUNCTION vector_of(tokens text) RETURNS tsvector LANGUAGE sql IMMUTABLE AS $$
    SELECT string_agg(quote_literal(token) || ':' || place, ' ')::tsvector
    FROM unnest(string_to_array(tokens, ' ')) WITH ORDINALITY AS t(token, place) $$"""
_INSERT = """
INSERT INTO tweets SELECT tweet, tokens, vector_of(tokens) FROM unnest(%s::uuid[], %s::text[]) AS t(tweet, tokens)"""
# The newest matches of a window, which suffice for common words; otherwise the newest of all matches.
_IN_WINDOW = f"""
SELECT tweet, tokens FROM (SELECT * FROM tweets ORDER BY tweet DESC LIMIT {WINDOW}) AS t
WHERE vector @@ %(query)s::tsquery LIMIT %(limit)s"""
_BY_GIN = """
SELECT tweet, tokens FROM (SELECT tweet, tokens FROM tweets WHERE vector @@ %(query)s::tsquery OFFSET 0) AS t
ORDER BY tweet DESC LIMIT %(limit)s"""
_SIZE = """
SELECT sum(pg_total_relation_size(oid))::bigint FROM pg_class WHERE relnamespace = %s::regnamespace AND relkind = 'r'"""
CASES: tuple[tuple[str, Query], ...] = (
    ("the commonest word, in 40 %", Query((("c0",),))),
    ("a word in 2 %", Query((("c60",),))),
    ("a word in 0.5 %", Query((("w250",),))),
    ("a word in 0.1 %", Query((("w1000",),))),
    ("a word in 4 tweets", Query((("w59999",),))),
    ("the two commonest words", Query((("c0",), ("c1",)))),
    ("two words in 1 % each", Query((("c100",), ("c120",)))),
    ("a common word and a rare one", Query((("c0",), ("w1000",)))),
    ("a phrase of common words", Query((("c0", "c1"),))),
    ("a phrase of common words that is nowhere", Query((("c20", "c50", "c30"),))),
    ("the eight commonest words", Query(tuple((f"c{n}",) for n in range(8)))),
    ("a common word without another", Query((("c0",),), (("c1",),))),
    ("a hashtag of the past, in 5 %", Query((("h_past",),))),
    ("an author", Query((("a_7",),))),
)


def tweets(count: int) -> Iterator[tuple[TweetId, str]]:
    """Yield tweets and their tokens, oldest first."""
    chance = random.Random(1)  # noqa: S311  # no secret
    words = [f"c{n}" if n < 200 else f"w{n}" for n in range(60_000)]
    weights = list(accumulate(1 / (n + 2.7) ** 1.05 for n in range(60_000)))
    for n in range(count):
        tokens = chance.choices(words, cum_weights=weights, k=chance.randint(4, 18))
        if chance.random() < 0.3:
            tokens.append(f"h_tag{min(int(chance.paretovariate(0.8)), 20_000)}")
        if n < count // 2 and chance.random() < 0.1:
            tokens.append("h_past")
        if chance.random() < 0.4:
            tokens.append(f"m_user{chance.randrange(20_000)}")
        tokens.append(f"a_{chance.randrange(20_000):x}")
        yield TweetId(id_at(Millis(START + 600 * n), str(n))), " ".join(tokens)


def tsquery(query: Query) -> str:
    """Return the query in the language of full-text search."""
    every = " & ".join(f"({' <-> '.join(phrase)})" for phrase in query.every)
    return every + "".join(f" & !({' <-> '.join(phrase)})" for phrase in query.none)


async def fill(ours: Database, gin: Connection, count: int) -> None:
    """Write the tweets into both, in batches; print the time and the size of each."""
    rows = PostgresSearchRows()
    sink = PostgresSink(ours, "bench", [rows])
    own_s = gin_s = 0.0
    made = list(tweets(count))
    for start in range(0, count, BATCH):
        batch = made[start : start + BATCH]
        began = time.perf_counter()
        await sink.begin()
        for tweet, tokens in batch:
            rows.posted(tweet, tokens)
        await sink.commit(Positions({TopicPartition("tweets", 0): start + BATCH}), {})
        between = time.perf_counter()
        await gin.execute(_INSERT, tuple(map(list, zip(*batch, strict=True))))
        own_s += between - began
        gin_s += time.perf_counter() - between
    await sink.close()
    for name, schema, seconds in (("postings", ours.schema, own_s), ("GIN", "bench_gin", gin_s)):
        cursor = await gin.execute(_SIZE, (schema,))
        [(size,)] = await cursor.fetchall()
        print(f"{name}: {count / seconds:,.0f} tweets/s, {size / 1e6:,.0f} MB")
    await gin.execute("VACUUM ANALYZE")


async def measured(read: Callable[[], Awaitable[int]]) -> tuple[float, int]:
    """Return the median time of a read in ms, and the number of results."""
    times, found = [], 0
    for _ in range(ROUNDS):
        began = time.perf_counter()
        found = await read()
        times.append(time.perf_counter() - began)
    return statistics.median(times) * 1000, found


async def main(url: str, count: int) -> None:
    """Fill both, read both, print a table."""
    ours, other = Database(url, "bench_postings"), Database(url, "bench_gin")
    for database in (ours, other):
        await database.drop()
    await ours.migrate()
    gin, pool = await other.connect(), ours.pool(1)
    await pool.open()
    for setting in ("statement_timeout = 0", "enable_bitmapscan = on", "enable_seqscan = on"):
        await gin.execute(f"SET {setting}".encode())
    await gin.execute("CREATE SCHEMA bench_gin")
    await gin.execute(_GIN)
    search = PostgresSearch(pool)
    try:
        await fill(ours, gin, count)
        for limit in (20, 1000):
            print(f"\n| page of {limit} | found | postings, ms | GIN, ms |\n|---|---|---|---|")
            for name, query in CASES:
                asked = {"query": tsquery(query), "limit": limit + 1}

                async def by_postings(query: Query = query, limit: int = limit) -> int:
                    return len((await search.newest(query, None, limit)).items)

                async def by_gin(asked: dict[str, object] = asked, limit: int = limit) -> int:
                    rows: list[object] = []
                    for statement in (_IN_WINDOW, _BY_GIN):
                        if len(rows) <= limit:
                            cursor = await gin.execute(statement.encode(), asked)
                            rows = [*await cursor.fetchall()]
                    return min(limit, len(rows))

                (own_ms, found), (gin_ms, all_) = await measured(by_postings), await measured(by_gin)
                short = "" if found == all_ else f" of {all_}"
                print(f"| {name} | {found}{short} | {own_ms:.2f} | {gin_ms:.2f} |", flush=True)
    finally:
        await pool.close()
        await gin.close()
        for database in (ours, other):
            await database.drop()


if __name__ == "__main__":
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("url")
    parser.add_argument("--tweets", type=int, default=500_000)
    given = parser.parse_args()
    asyncio.run(main(given.url, given.tweets))
