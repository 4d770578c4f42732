"""`POST /tweets` acknowledged by Kafka, beside an equal transaction and a record without the rest."""

from __future__ import annotations

import asyncio
import os
import threading
import time
from collections.abc import AsyncIterator
from contextlib import AsyncExitStack

import psycopg
from confluent_kafka import Producer
from confluent_kafka.cimpl import NewTopic

from ..community import write_lines
from ..figures import Figure
from ..wrk import Load, wrk
from .bench import Bench
from .installation import PARTITIONS, Installation

CONNECTIONS = 32
PER_SECOND, AT_LEAST = 1_000, 50
_VALUE = os.urandom(400)
"""As long as the record of a tweet."""
_TABLES = """
CREATE SCHEMA raw;
CREATE TABLE raw.outbox (
    number bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY, topic text, key text, id text, value bytea, about bytea
);
CREATE TABLE raw.entities (topic text, key text, newest text, number bigint, PRIMARY KEY (topic, key))
    WITH (fillfactor = 80);
CREATE TABLE raw.tweets (tweet text PRIMARY KEY, author text, conversation text, version integer, fingerprint bytea);
"""
_TRANSACTION = b"""
WITH tweet AS (INSERT INTO raw.tweets VALUES (%(id)s, %(key)s, %(id)s, 1, %(short)s)),
    entity AS (
        INSERT INTO raw.entities VALUES ('tweets', %(key)s, %(id)s, 1)
        ON CONFLICT (topic, key) DO UPDATE SET newest = excluded.newest
    )
INSERT INTO raw.outbox (topic, key, id, value, about) VALUES ('tweets', %(key)s, %(id)s, %(value)s, %(short)s)
RETURNING number"""


async def measure(bench: Bench) -> AsyncIterator[Figure]:
    """Measure posts a second at 32 connections, and their slowest percentile: as fast as possible, and at a
    set pace.
    """
    town = await bench.town()
    installation = town.installation
    # Accounts without followers: later measurements then have little to catch up with.
    posters = write_lines(installation.directory / "posters", [town.tokens[account] for account in town.readers])
    seconds = max(1, int(bench.seconds))
    async with AsyncExitStack() as stack:
        command = stack.enter_context(installation.process("serve", "command"))
        stack.enter_context(installation.process("work", "relay"))
        url = f"{command.url}/api/v1/tweets"

        async def posts(for_s: int, *pace: int) -> Load:
            arguments = (posters, *pace)
            return await asyncio.to_thread(wrk, url, "post.lua", arguments, connections=CONNECTIONS, seconds=for_s)

        await posts(max(1, seconds // 3))
        load = await posts(seconds)
        asked = bench.some(PER_SECOND, AT_LEAST)
        paced = await posts(seconds, asked)
    raw = await _raw(installation, bench.seconds)
    name = f"POST /tweets, acknowledged by Kafka, {CONNECTIONS} connections"
    limit_name = "psycopg and confluent-kafka"
    yield Figure(name, load.per_second, "/s", 1_000, limit=raw.per_second, limit_name=limit_name)
    yield Figure(f"{name}, p50", load.p50_ms, "ms", 50, more_is_better=False, limit=raw.p50_ms, limit_name=limit_name)
    yield Figure(f"{name}, p99", load.p99_ms, "ms", 50, more_is_better=False, limit=raw.p99_ms, limit_name=limit_name)
    name = f"POST /tweets, {asked:,} a second, {CONNECTIONS} connections"
    yield Figure(f"{name}, p99", paced.p99_ms, "ms", 50, more_is_better=False, limit=raw.p99_ms, limit_name=limit_name)


async def _raw(installation: Installation, seconds: float) -> Load:
    """Execute one transaction with the same effects, then publish one record, in 32 concurrent loops."""
    loop = asyncio.get_running_loop()
    producer = Producer({"bootstrap.servers": installation.servers, "enable.idempotence": True, "linger.ms": 0})
    ended = threading.Event()

    def poll() -> None:
        while not ended.is_set():
            producer.poll(0.1)

    thread = threading.Thread(target=poll)
    # A topic of its own: the installation's topics may only have events.
    topic = f"{installation.settings.topic_prefix}raw"
    admin = installation.admin()  # kept until it has answered: its futures end with it
    [made] = admin.create_topics([NewTopic(topic, PARTITIONS, 1)]).values()
    await asyncio.wrap_future(made)
    url = installation.generations.database.url
    async with await psycopg.AsyncConnection.connect(url, autocommit=True) as connection:
        await connection.execute(_TABLES.encode())
    took: list[float] = []
    began = time.perf_counter()
    warm, until = began + seconds / 3, began + seconds * 4 / 3

    async def work(number: int) -> None:
        async with await psycopg.AsyncConnection.connect(url, autocommit=True, prepare_threshold=1) as connection:
            done = 0
            while (started := time.perf_counter()) < until:
                done += 1
                key = f"{number}-{done % 16}"
                values = {"id": f"{number}-{done}", "key": key, "value": _VALUE, "short": _VALUE[:100]}
                await connection.execute(_TRANSACTION, values, binary=True)
                acknowledged: asyncio.Future[object] = loop.create_future()

                def told(error: object, _: object, acknowledged: asyncio.Future[object] = acknowledged) -> None:
                    loop.call_soon_threadsafe(acknowledged.set_result, error)

                producer.produce(topic, _VALUE, key, on_delivery=told)
                failure = await acknowledged
                assert failure is None, failure
                if started >= warm:
                    took.append((time.perf_counter() - started) * 1000)

    thread.start()
    try:
        await asyncio.gather(*(work(number) for number in range(CONNECTIONS)))
    finally:
        ended.set()
        await asyncio.to_thread(thread.join)
    took.sort()
    return Load(len(took) / seconds, took[len(took) // 2], took[int(len(took) * 0.99)])
