"""The cost of storing keys in Kafka as well, and of restoring them into a PostgreSQL that has none.

python -m bench.kept --kafka HOST:PORT --postgres postgresql://...

It creates a database and a topic of its own, and removes them.
"""

from __future__ import annotations

import argparse
import asyncio
import time
import uuid
from statistics import quantiles

import psycopg
from confluent_kafka.admin import AdminClient
from psycopg.conninfo import make_conninfo

from command_api.postgres.kept import KeptKeys, KeptRows
from command_api.postgres.migrating import migrate
from command_api.postgres.taking_back import TakingBack
from events.ids import HybridClock
from events.kafka.keys import KafkaKeptTopic
from events.kafka.producing import KafkaPublisher
from events.kafka.topics import apply
from events.kept import KeptKey
from events.postgres.connections import Pool, open_pool
from events.postgres.keys import PostgresKeys
from events.sealing import MasterKeys, Sealer
from events.topics import KEYS

PARTITIONS = 16
SINGLE = 200


async def bench(kafka: str, pool: Pool, prefix: str, number: int) -> None:
    """Print the figures for so many keys."""
    masters, ids = MasterKeys.generate(), HybridClock()
    keys = PostgresKeys(pool, Sealer(masters))
    publisher = KafkaPublisher(kafka, {KEYS.name: PARTITIONS}, prefix=prefix, ack_s=10)
    topic = KafkaKeptTopic(kafka, PARTITIONS, publisher, ids, prefix=prefix)
    wrapped = [(ids.issue(), masters.current, masters.wrap(bytes(32)).wrapped) for _ in range(number)]
    copying = "COPY subject_keys (subject, master, wrapped) FROM STDIN"
    async with pool.connection() as connection, connection.cursor() as cursor, cursor.copy(copying) as copy:
        for row in wrapped:
            await copy.write_row(row)
    times = []
    for row in wrapped[:SINGLE]:
        began = time.perf_counter()
        await KeptKeys(pool, topic).publish([KeptKey(*row)])
        times.append((time.perf_counter() - began) * 1000)
    cuts = quantiles(times, n=100)
    print(f"ahead of a first event: p50 {cuts[49]:.1f} ms, p99 {cuts[98]:.1f} ms")
    began = time.perf_counter()
    while await KeptRows(pool, keys, topic).publish_waiting():
        pass
    print(f"published in the background: {number / (time.perf_counter() - began):,.0f} keys/s")
    taking = TakingBack(pool, keys, topic)
    began = time.perf_counter()
    await taking.take_back()
    print(f"a start where nothing is lacking: {(time.perf_counter() - began) * 1000:.0f} ms")
    async with pool.connection() as connection:
        await connection.execute("TRUNCATE subject_keys")
        await connection.execute("UPDATE kept_positions SET positions=''")
    began = time.perf_counter()
    taken = await taking.take_back()
    took = time.perf_counter() - began
    print(f"taken back: {taken.keys:,} keys in {took:.1f} s, {taken.keys / took:,.0f} keys/s")
    await publisher.close()


async def main(kafka: str, postgres: str, number: int) -> None:
    """Create what is needed, measure, and remove it."""
    name = f"kept_{uuid.uuid4().hex[:12]}"
    with psycopg.connect(postgres, autocommit=True) as connection:
        connection.execute(f"CREATE DATABASE {name}")
    url = make_conninfo(postgres, dbname=name)
    admin = AdminClient({"bootstrap.servers": kafka})
    pool = open_pool(url)
    try:
        await migrate(url)
        await apply(admin, [KEYS.name], partitions=PARTITIONS, prefix=f"{name}-")
        await pool.open()
        await bench(kafka, pool, f"{name}-", number)
    finally:
        await pool.close()
        for deleted in admin.delete_topics([f"{name}-{KEYS.name}"]).values():
            await asyncio.wrap_future(deleted)
        with psycopg.connect(postgres, autocommit=True) as connection:
            connection.execute(f"DROP DATABASE {name} WITH (FORCE)")


if __name__ == "__main__":
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--kafka", required=True)
    parser.add_argument("--postgres", required=True)
    parser.add_argument("--keys", type=int, default=50_000)
    asked = parser.parse_args()
    asyncio.run(main(asked.kafka, asked.postgres, asked.keys))
