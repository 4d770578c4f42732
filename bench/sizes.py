"""The size of an event in each store, and the speed of one process that applies it: `python -m bench.sizes`. Some
minutes.

The sizes of docs/capacity.py. A community of the embedded profile is applied to a Cassandra and a PostgreSQL of this
run, which are removed at the end. Sizes are those of flushed, compressed tables of one node; rates are those of one
process whose engines share its cores.
"""

from __future__ import annotations

import argparse
import asyncio
import dataclasses
import random
import shutil
import tempfile
import time
from collections import Counter
from collections.abc import Iterable, Iterator, Sequence
from pathlib import Path

import psycopg

from command_api.postgres.migrating import migrate as migrate_command_side
from command_api.postgres.rebuild import rebuild_decision_state
from events.codec import Codec
from events.event import BY_CLASS
from events.ids import AccountId, ActivityId, HybridClock, TweetId, timestamp
from events.kafka.records import headers
from events.log import New, Positions, Record, positions_after
from events.postgres.connections import open_pool
from events.publishing import Outgoing, outgoing
from infra.local.cassandra import Cassandra
from infra.local.packages import cache_directory
from infra.local.postgres import Postgres
from infra.local.running import Running
from runtime.distributed.models.groups import streams, timelines
from runtime.embedded.log_db import open_reader
from runtime.processor_group import Group
from stores.cassandra.address import Address
from stores.cassandra.home_rows import CassandraHomeTimelineRows
from stores.cassandra.migrating import migrate as migrate_cassandra
from stores.cassandra.session import CassandraSession
from stores.home_timelines import Delivery, Entry

from .community import Community

BATCH = 500
_DELIVERIES = 1000
"""Deliveries that are submitted at once, as many as a worker's batch has."""


class Nowhere:
    """A publisher that only counts derived events."""

    def __init__(self) -> None:
        self.records: list[Outgoing] = []

    async def publish(self, records: Sequence[Outgoing]) -> Positions:
        """Count them."""
        self.records.extend(records)
        return Positions()


def batches(records: Sequence[Record]) -> Iterator[Sequence[Record]]:
    """Yield the records in batches, like a worker's."""
    return (records[place : place + BATCH] for place in range(0, len(records), BATCH))


async def _read(data: Path) -> tuple[list[Record], Codec]:
    reader = open_reader(data)
    found: list[Record] = []
    positions = Positions()
    while records := await reader.read(positions, 5000):
        positions = positions_after(records, positions)
        found.extend(records)
    return found, reader.table.codec


def _record_bytes(records: Iterable[Outgoing]) -> dict[str, float]:
    """Return the mean uncompressed size of a record of each type: headers, key, value and 20 bytes of framing."""
    sums: Counter[str] = Counter()
    counts: Counter[str] = Counter()
    for record in records:
        size = sum(len(name) + len(value or b"") + 3 for name, value in headers(record))
        sums[record.type] += size + len(record.key) + len(record.value) + 20
        counts[record.type] += 1
    return {type_: sums[type_] / counts[type_] for type_ in sums}


async def _commit(group: Group, records: Sequence[Record]) -> float:
    """Apply all records; return records a second."""
    wanted = [record for record in records if record.event and BY_CLASS[type(record.event)].topic in group.topics]
    positions = Positions()
    started = time.perf_counter()
    for batch in batches(wanted):
        positions = positions_after(batch, positions)
        await group.apply(batch, positions)
    return len(wanted) / (time.perf_counter() - started)


async def _deliver(rows: CassandraHomeTimelineRows, count: int) -> float:
    """Deliver to the timelines of 100,000 accounts; return deliveries a second."""
    chance, ids = random.Random(1), HybridClock()  # noqa: S311  # no secret
    viewers = [AccountId(ids.issue()) for _ in range(100_000)]
    author = AccountId(ids.issue())
    made = []
    for number in range(count):
        if number % 100 == 0:
            tweet = ids.issue()
            entry = Entry(ActivityId(tweet), TweetId(tweet), author, None, timestamp(tweet))
        made.append(Delivery(chance.choice(viewers), entry))
    started = time.perf_counter()
    for place in range(0, count, _DELIVERIES):
        await rows.deliver(made[place : place + _DELIVERIES])
    return count / (time.perf_counter() - started)


async def _on_cassandra(url: str, records: Sequence[Record], codec: Codec, deliveries: int) -> dict[str, float]:
    address = dataclasses.replace(Address.parse(url), keyspace="sizes")
    await migrate_cassandra(address)
    session = await CassandraSession.connect(address)
    nowhere = Nowhere()
    try:
        rates = {
            "timelines, events": await _commit(timelines(session, address.keyspace), records),
            "streams, events": await _commit(streams(session, address.keyspace, nowhere, codec), records),
            "home timelines, deliveries": await _deliver(
                CassandraHomeTimelineRows(session, address.keyspace), deliveries
            ),
        }
    finally:
        await session.close()
    for type_, size in _record_bytes(nowhere.records).items():
        print(f"record {type_}: {size:.0f} bytes")
    return rates


def _tables_of(place: Path) -> dict[str, int]:
    """Return the size of each table of the keyspace on disk."""
    (keyspace,) = place.glob("cassandra/cassandra-0/**/data/sizes")
    sizes: Counter[str] = Counter()
    for file in keyspace.glob("*/*.db"):
        sizes[file.parent.name.rpartition("-")[0]] += file.stat().st_size
    return dict(sizes)


async def _on_postgres(url: str, data: Path) -> tuple[float, dict[str, int]]:
    await migrate_command_side(url)
    reader = open_reader(data)
    pool = open_pool(url)
    await pool.open()
    started = time.perf_counter()
    folded = await rebuild_decision_state(reader, pool, b"k" * 32, reader.ends)
    rate = folded / (time.perf_counter() - started)
    await pool.close()
    with psycopg.connect(url, autocommit=True) as connection:
        connection.execute("VACUUM FULL")
        rows = connection.execute(
            "SELECT relname, pg_total_relation_size(oid) FROM pg_class"
            " WHERE relkind = 'r' AND relnamespace = 'public'::regnamespace"
        ).fetchall()
    return rate, {str(name): int(size) for name, size in rows}


def _print(sizes: dict[str, int], store: str, events: Counter[str]) -> None:
    for table, size in sorted(sizes.items(), key=lambda each: -each[1]):
        if size > 65_536:
            print(f"{store} {table}: {size:,} bytes; by event {size / sum(events.values()):.1f}")


async def measure(place: Path, *, accounts: int, follows: int, tweets: int, likes: int, deliveries: int) -> None:
    """Fill, apply, and print."""
    data = place / "data"
    community = Community(data)
    await community.fill(accounts=accounts, follows=follows, tweets=tweets, likes=likes, retweets=tweets // 4)
    records, codec = await _read(data)
    events = Counter(BY_CLASS[type(record.event)].name for record in records if record.event is not None)
    print("events:", dict(events))
    opened = [New(record.event, record.about) for record in records if record.event is not None]
    for type_, size in _record_bytes(outgoing(new, codec) for new in opened).items():
        print(f"record {type_}: {size:.0f} bytes")
    running = Running(place, cache_directory())
    try:
        rates = await _on_cassandra(running.up(Cassandra()).url, records, codec, deliveries)
        rates["decision state, events folded"], sizes = await _on_postgres(running.up(Postgres()).url, data)
        running.down("cassandra")  # which flushes everything
        _print(_tables_of(place), "cassandra", events)
        _print(sizes, "postgres", events)
        for name, rate in rates.items():
            print(f"{name}: {rate:,.0f} a second")
    finally:
        running.down("cassandra")
        running.down("postgres")


def main(arguments: Sequence[str] | None = None) -> None:
    """Run the command."""
    parser = argparse.ArgumentParser(prog="python -m bench.sizes", description=__doc__)
    parser.add_argument("--accounts", type=int, default=1000)
    parser.add_argument("--follows", type=int, default=20_000)
    parser.add_argument("--tweets", type=int, default=15_000)
    parser.add_argument("--likes", type=int, default=30_000)
    parser.add_argument("--deliveries", type=int, default=300_000)
    options = vars(parser.parse_args(arguments))
    place = Path(tempfile.mkdtemp(prefix="minitwitter-sizes-"))
    place.chmod(0o755)
    try:
        asyncio.run(measure(place, **options))
    finally:
        shutil.rmtree(place, ignore_errors=True)


if __name__ == "__main__":
    main()
