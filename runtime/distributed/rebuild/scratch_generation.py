"""A second generation of all derived data, beside the live one, made by the same processors.

Its names are fixed, so only one comparison runs at a time, and the next one removes what a killed one left.
"""

from __future__ import annotations

import asyncio
import contextlib
from collections.abc import AsyncIterator
from typing import NamedTuple

import psycopg

from command_api.postgres.migrating import migrate as migrate_decisions
from events.ids import Clock, wall_clock
from events.postgres.connections import Pool, available, open_pool
from events.publishing import Publisher
from runtime.distributed.engines import Engines
from runtime.distributed.models import groups
from runtime.distributed.models.catalogue import CASSANDRA, SEARCHES, STORES
from runtime.distributed.models.generations import Generations
from runtime.distributed.rebuild.batch_runner import GroupBuild
from runtime.distributed.roles.hosted_fan_out import fan_out_group
from runtime.verdict import CannotVerify
from stores.cassandra.migrating import drop
from stores.cassandra.migrating import migrate as migrate_cassandra
from stores.redis.connection import Client
from stores.redis.counts import RedisCounts
from stores.redis.digest import remove
from stores.sink import StoreUnavailable

MARK = "verify"
_LOCK = 0x766572696679
"""The key of our advisory lock: `verify` in ASCII."""


def buildings(
    engines: Engines, generations: Generations, publisher: Publisher, clock: Clock = wall_clock
) -> dict[str, GroupBuild]:
    """Return all groups by name, writing to these generations. Discarded records are skipped; a record that cannot be
    applied stops them.

    Fan-out delivers activities that are recent by `clock`.
    """
    cassandra, redis, log = engines.cassandra, engines.redis, engines.log
    prefix, partitions, keyspace = (
        engines.settings.topic_prefix,
        engines.settings.topic_partitions,
        generations.address.keyspace,
    )
    made = [
        groups.timelines(cassandra, keyspace),
        groups.counts(redis, prefix, partitions, log.ends, keys=generations.keys),
        groups.search(generations.database),
        groups.streams(cassandra, keyspace, publisher, engines.codec),
        groups.trends(generations.database, publisher, engines.codec),
    ]
    home = fan_out_group(cassandra, keyspace, RedisCounts(redis, generations.keys), partitions, clock=clock)
    for group in (*made, home):
        group.set_aside(None, engines.discards.of(group.name))
    return {group.name: GroupBuild.of(group) for group in (*made, home)}


class ScratchGeneration(NamedTuple):
    """A second generation of all derived data, empty at first.

    `decisions` connects to the tables of a second decision state.
    """

    generations: Generations
    decisions: Pool


@contextlib.asynccontextmanager
async def scratch_generation(engines: Engines) -> AsyncIterator[ScratchGeneration]:
    """Create it, and remove it at the end. Raises CannotVerify, StoreUnavailable, LogUnavailable."""
    first = Generations.first(engines.settings)
    generations = first
    for store in STORES:
        generations = generations.at(store, first.marked(store, MARK).names()[store])
    schema = f"decisions_{MARK}"
    async with alone(engines.settings.postgres) as connection:
        await _remove(generations, schema, engines.redis, connection)
        pool = open_pool(engines.settings.postgres, most=2, schema=schema)
        try:
            for store in STORES:
                await make(generations, store, engines.settings.cassandra_replicas)
            # Nobody needs it after a crash, so Cassandra writes no commit log for it.
            await engines.cassandra.read(f"ALTER KEYSPACE {generations.address.keyspace} WITH durable_writes = false")
            await migrate_decisions(engines.settings.postgres, schema=schema)
            await pool.open()
            yield ScratchGeneration(generations, pool)
        finally:
            await pool.close()
            await asyncio.shield(_remove(generations, schema, engines.redis, connection))


@contextlib.asynccontextmanager
async def alone(url: str) -> AsyncIterator[psycopg.AsyncConnection[tuple[object, ...]]]:
    """Be the only process that builds beside the live stores. Raises CannotVerify, StoreUnavailable."""
    async with available(StoreUnavailable):
        connection = await psycopg.AsyncConnection.connect(url, autocommit=True, connect_timeout=2)
    async with connection:
        cursor = await connection.execute("SELECT pg_try_advisory_lock(%s)", (_LOCK,))
        if await cursor.fetchone() != (True,):
            raise CannotVerify("another process verifies or rebuilds this installation; wait for it")
        yield connection


async def make(generations: Generations, store: str, replicas: int) -> None:
    """Create the tables of a generation, or migrate them. Raises StoreUnavailable."""
    if store == CASSANDRA:
        await migrate_cassandra(generations.address, replicas=replicas)
    elif store == SEARCHES:
        await generations.database.migrate()


async def discard(generations: Generations, store: str, redis: Client) -> None:
    """Remove a generation with all its data. Raises StoreUnavailable."""
    if store == CASSANDRA:
        await drop(generations.address)
    elif store == SEARCHES:
        await generations.database.drop()
    else:
        await remove(redis, generations.keys)


async def _remove(
    generations: Generations, schema: str, redis: Client, connection: psycopg.AsyncConnection[tuple[object, ...]]
) -> None:
    for store in STORES:
        await discard(generations, store, redis)
    await connection.execute(f"DROP SCHEMA IF EXISTS {schema} CASCADE".encode())
