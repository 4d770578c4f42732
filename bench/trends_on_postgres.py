"""Trends on PostgreSQL: `python -m bench.trends_on_postgres URL`. A minute or two.

The figures of docs/adr/0016, in processor time of the server process, which must be on this machine. Tags follow a
power law: 200,000 uses of 110,000 tags by 20,000 authors in a day, and fewer on the seven days before. The schema is
dropped at the end.
"""

from __future__ import annotations

import argparse
import asyncio
import os
import random
from collections.abc import Awaitable, Callable
from pathlib import Path

from events.ids import AccountId, Millis, TweetId, id_at
from events.log import Positions, TopicPartition
from stores.postgres.database import Database
from stores.postgres.sink import PostgresSink
from stores.postgres.trends import PostgresTrendRows, PostgresTrends
from stores.trends import DAY, HOUR, rank

END = Millis(1_795_176_000_000)
USES = 200_000
BEFORE = 40_000
"""Uses on each of the seven days before."""
AUTHORS = 20_000
BATCH = 500
ROUNDS = 20


async def fill(database: Database) -> tuple[float, int]:
    """Write the uses, in batches like a worker's; return uses a second, and the number of tags of the last day."""
    chance = random.Random(1)  # noqa: S311  # the same each time
    rows = PostgresTrendRows()
    sink = PostgresSink(database, "trends", [rows])
    authors = [AccountId(id_at(Millis(0), "author", str(n))) for n in range(AUTHORS)]
    times = [END - day * DAY - chance.randrange(DAY) for day in range(8) for _ in range(BEFORE if day else USES)]
    times.sort()
    tags = set()
    await sink.positions()
    [(server,)] = await sink.ask("SELECT pg_backend_pid()", ())
    for start in range(0, len(times), BATCH):
        await sink.begin()
        for n, at in enumerate(times[start : start + BATCH], start):
            # Half of the uses have a few tags, the other half any of very many.
            tag = (
                f"t{int(chance.paretovariate(0.25)) % 400_000}"
                if chance.random() < 0.5
                else f"u{chance.randrange(10**6)}"
            )
            if at >= END - DAY:
                tags.add(tag)
            rows.posted(TweetId(id_at(Millis(at), "tweet", str(n))), chance.choice(authors), {tag: tag})
        rows.reached(Millis(times[start]), Millis(times[start]))
        await sink.commit(Positions({TopicPartition("tweets", 0): start + BATCH}), {})
    seconds = processor_s(server)
    await sink.close()
    return len(times) / seconds, len(tags)


def processor_s(pid: int) -> float:
    """Return the processor time of a process so far."""
    fields = Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()
    return (int(fields[11]) + int(fields[12])) / os.sysconf("SC_CLK_TCK")


async def timed(pid: int, work: Callable[[], Awaitable[object]]) -> float:
    """Return the mean processor time of a process for one call, in ms. It repeats, because the clock is coarse."""
    await work()
    before = processor_s(pid)
    for _ in range(ROUNDS):
        await work()
    return (processor_s(pid) - before) / ROUNDS * 1000


async def measure(url: str) -> None:
    """Print the figures."""
    database = Database(url, "trends_bench")
    await database.drop()
    await database.migrate()
    try:
        rate, tags = await fill(database)
        async with await database.connect() as connection:
            await connection.execute("SET statement_timeout = 0")
            await connection.execute("VACUUM ANALYZE tag_uses")
            await connection.execute("VACUUM ANALYZE tag_hours")
        print(f"written in batches of {BATCH}: {rate:,.0f} uses/s; {tags:,} tags in {USES:,} uses of a day")
        pool = database.pool(1)
        await pool.open()
        trends = PostgresTrends(pool)
        async with pool.connection() as connection:
            pid = connection.info.backend_pid
        for name, length in (("1 h", HOUR), ("6 h", 6 * HOUR), ("24 h", DAY)):
            start = Millis(END - length)

            async def ranked(start: Millis = start) -> object:
                return rank(await trends.numbers(start, END))

            best = [r.tag for r in rank(await trends.numbers(start, END))]

            async def shown(start: Millis = start, best: list[str] = best) -> object:
                return await trends.shown(best, start, END)

            print(f"{name}: ranked in {await timed(pid, ranked):.1f} ms, shown in {await timed(pid, shown):.1f} ms")

        async def history() -> object:
            return await trends.history("t1", Millis(END - 7 * DAY), END, HOUR)

        print(f"168 steps of a tag: {await timed(pid, history):.1f} ms")
        await pool.close()
    finally:
        await database.drop()


def main() -> None:
    """Run the command."""
    parser = argparse.ArgumentParser(description="Trends on PostgreSQL, measured.")
    parser.add_argument("url", help="a PostgreSQL that may be written to: postgresql://...")
    asyncio.run(measure(parser.parse_args().url))


if __name__ == "__main__":
    main()
