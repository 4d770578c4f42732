"""`GET /feed`, a page of 20: with warm caches beside a constant of the same bytes from the same process, and with cold
caches beside the reads of Cassandra and Redis that such a page needs, alone in one process.
"""

from __future__ import annotations

import asyncio
import itertools
import time
from collections.abc import AsyncIterator, Sequence
from contextlib import ExitStack
from typing import NamedTuple, get_args

from query_api.feeds import home_feed
from query_api.routes.hot import FEED_PATH
from runtime.distributed.models.caches import Memory
from runtime.distributed.models.readers import readers
from stores.cassandra.home_timelines import CassandraHomeTimelines
from stores.cassandra.session import CassandraSession, Parameters, Row
from stores.composed.home_feed import HybridHomeFeed
from stores.counts import TweetCounter
from stores.postgres.trends import PostgresTrends
from stores.redis.connection import connect

from ..community import write_lines
from ..figures import Figure
from ..wrk import Load, wrk
from .bench import Bench
from .feed_server import COLD, CONSTANT
from .town import Town

CONNECTIONS = 32
PAGE = 20
_SAMPLE = 100
_OF_READS = 0.4
"""The share of the reads alone that a page with cold caches has to reach: the rest is for building and sending it."""


class Recording(CassandraSession):
    """A session that records its statements."""

    asked: list[tuple[str, Parameters]]

    async def read(self, cql: str, parameters: Parameters = ()) -> list[Row]:
        """Record a statement and execute it."""
        self.asked.append((cql, parameters))
        return await super().read(cql, parameters)


class Needs(NamedTuple):
    """The reads of a page: statements of Cassandra, keys of Redis."""

    statements: Sequence[tuple[str, Parameters]]
    counters: Sequence[str]


async def measure(bench: Bench) -> AsyncIterator[Figure]:
    """Pages a second at 32 connections, of readers that follow some twenty accounts.

    Each limit is measured right before or after its figure.
    """
    town = await bench.town()
    installation = town.installation
    tokens = write_lines(installation.directory / "readers", [town.tokens[account] for account in town.readers])
    seconds = max(1, int(bench.seconds))
    with ExitStack() as stack:
        query = stack.enter_context(installation.module("bench.distributed.feed_server"))
        with installation.process("work", "all"):
            await town.until_current()

        async def pages(path: str) -> Load:
            paths = write_lines(installation.directory / "paths", [f"{path}?limit={PAGE}"])
            for for_s in (max(1, seconds // 3), seconds):  # the first is a warm-up
                load = await asyncio.to_thread(
                    wrk, query.url, "get.lua", (tokens, paths), connections=CONNECTIONS, seconds=for_s
                )
            return load

        same_bytes = await pages(CONSTANT)
        warm = await pages(FEED_PATH)
        cold = await pages(COLD)
    raw = await _raw(town, bench.seconds)
    for caches, load, limit, limit_name, rate, p99_ms in (
        ("", warm, same_bytes, "the same bytes", 1_000.0, 100.0),
        (", cold caches", cold, raw, "the reads alone", _OF_READS * raw.per_second, raw.p99_ms / _OF_READS),
    ):
        name = f"GET /feed, a page of {PAGE}, {CONNECTIONS} connections{caches}"
        yield Figure(name, load.per_second, "/s", rate, limit=limit.per_second, limit_name=limit_name)
        yield Figure(
            f"{name}, p99", load.p99_ms, "ms", p99_ms, more_is_better=False, limit=limit.p99_ms, limit_name=limit_name
        )


async def _raw(town: Town, seconds: float) -> Load:
    """The same statements and counters, all of a page at once, with nothing made of what they answer."""
    pages = await _needs(town)
    session = await CassandraSession.connect(town.installation.generations.address)
    redis = connect(town.installation.redis_url)
    fields = get_args(TweetCounter)
    took: list[float] = []
    began = time.perf_counter()
    warm, until = began + seconds / 3, began + seconds * 4 / 3
    wanted = itertools.cycle(pages)

    async def counters(keys: Sequence[str]) -> None:
        async with redis.pipeline(transaction=False) as pipeline:
            for key in keys:
                pipeline.hmget(key, fields)
            await pipeline.execute()

    async def work() -> None:
        while (started := time.perf_counter()) < until:
            page = next(wanted)
            await asyncio.gather(
                *(session.read(cql, parameters) for cql, parameters in page.statements), counters(page.counters)
            )
            if started >= warm:
                took.append((time.perf_counter() - started) * 1000)

    try:
        await asyncio.gather(*(work() for _ in range(CONNECTIONS)))
    finally:
        await session.close()
        await redis.aclose()
    took.sort()
    return Load(len(took) / seconds, took[len(took) // 2], took[int(len(took) * 0.99)])


async def _needs(town: Town) -> list[Needs]:
    """What the pages of some readers are read with, each with cold caches."""
    installation = town.installation
    address, keys, searches = installation.generations
    session = await Recording.connect(address)
    redis = connect(installation.redis_url)
    assert isinstance(session, Recording)
    session.asked = []
    database = searches.pool(1)  # a feed does not use it, so it is never opened
    found = []
    try:
        for reader in town.readers[:_SAMPLE]:
            timelines = CassandraHomeTimelines(session, address.keyspace)
            memory = Memory(timelines)  # of its own, so that no page finds the rows of another
            ports = readers(
                session,
                address.keyspace,
                redis,
                keys,
                database,
                HybridHomeFeed(memory.timelines),
                PostgresTrends(database),
                memory=memory,
                counts_unavailable=lambda: False,
            )
            session.asked = []
            page = await home_feed(ports, reader, None, PAGE)
            found.append(Needs(session.asked, [keys.of("t", item.tweet.id)[1] for item in page.items]))
    finally:
        await session.close()
        await redis.aclose()
    return found
