"""The time until a follower sees a tweet, and the share of stale reads after a write, at a hundred tweets a second.

All processes of an installation run: both APIs, the projectors, the streams, the relay. A short run posts less often.
"""

from __future__ import annotations

import asyncio
import contextlib
import itertools
import re
import time
from collections.abc import AsyncIterator, Iterator
from contextlib import ExitStack

from ..figures import Figure
from ..paced import Connection, get, post, posts
from ..served import Served
from .bench import Bench
from .town import FOLLOWERS, Town

PER_SECOND, AT_LEAST = 100, 10
PROBERS = 2
PROBE_EVERY_S = 0.05
POLL_S = 0.01
"""Seconds between a follower's reads: a measured time is too long by at most this."""
WARM = 3
WRITERS = 8
PAUSE_S = 0.1
_LOST_S = 60.0
_TOKEN = re.compile(rb"consistency-token: ?(\S+)", re.IGNORECASE)


async def measure(bench: Bench) -> AsyncIterator[Figure]:
    """Measure milliseconds from a 201 to the tweet in a follower's feed, and the share of reads with a token that are
    stale.
    """
    town = await bench.town()
    per_second = bench.some(PER_SECOND, AT_LEAST)
    with _everything(town) as (command, query):
        await town.until_current()
        async with _load(town, command, per_second):
            await asyncio.sleep(WARM * bench.seconds)  # processes are slow after their start, above all Cassandra
            probing = (_probe(town, command, query, number, 2 * bench.seconds) for number in range(PROBERS))
            found = sorted(itertools.chain(*await asyncio.gather(*probing)))
        behind = await town.until_current()
        async with _load(town, command, per_second):
            told = await asyncio.gather(*(_read_back(town, command, query, n, bench.seconds) for n in range(WRITERS)))
    name = f"201 to a follower's feed, {per_second} tweets/s of {FOLLOWERS} followers each"
    yield Figure(f"{name}, p50", found[len(found) // 2], "ms", 100, more_is_better=False)
    yield Figure(f"{name}, p99", found[int(len(found) * 0.99)], "ms", 400, more_is_better=False)
    yield Figure("until every read model was current after that", behind, "s", 1.0, more_is_better=False)

    stale, reads = (sum(column) for column in zip(*told, strict=True))
    yield Figure(f"reads marked stale, of {reads:,} with a token", 100 * stale / reads, "%", 1.0, more_is_better=False)


@contextlib.contextmanager
def _everything(town: Town) -> Iterator[tuple[Served, Served]]:
    """Start all processes; yield the command API and the query API."""
    installation = town.installation
    with ExitStack() as stack:
        command, query, *_ = (
            stack.enter_context(installation.process(*words))
            for words in (
                ("serve", "command"),
                ("serve", "query"),
                ("work", "projectors"),
                ("work", "streams"),
                ("work", "relay"),
            )
        )
        yield command, query


@contextlib.asynccontextmanager
async def _load(town: Town, command: Served, per_second: int) -> AsyncIterator[None]:
    """Post at the given pace inside the block."""
    tokens = [town.tokens[author] for author in town.authors[_probed(town) :]]
    load = asyncio.create_task(posts(command.port, tokens, per_second, 3600, connections=16))
    try:
        await asyncio.sleep(0.5)
        yield
        if load.done():
            load.result()
    finally:
        load.cancel()
        with contextlib.suppress(asyncio.CancelledError):
            await load


def _probed(town: Town) -> int:
    """Return how many authors only post probes: the load must not push these off their watchers' first page."""
    return len(town.authors) // 5


async def _probe(town: Town, command: Served, query: Served, number: int, seconds: float) -> list[float]:
    """Post for some authors, and poll each watcher's feed; return milliseconds."""
    writing, reading = await Connection.open(command.port), await Connection.open(query.port)
    found: list[float] = []
    until = time.perf_counter() + seconds
    pairs = itertools.cycle(list(zip(town.authors, town.watchers, strict=True))[number : _probed(town) : PROBERS])
    while not found or time.perf_counter() < until:
        author, watcher = next(pairs)
        head, body = await writing.exchange(post(town.tokens[author], "seen yet?"))
        acknowledged = time.perf_counter()
        assert b" 201 " in head, body
        tweet, feed = body[7:43], get(town.tokens[watcher], "/api/v1/feed?limit=5")
        while tweet not in (await reading.request(feed))[1]:
            if time.perf_counter() - acknowledged > _LOST_S:
                raise TimeoutError(f"{tweet.decode()} is not in the feed of {watcher}")
            await asyncio.sleep(POLL_S)
        found.append((time.perf_counter() - acknowledged) * 1000)
        await asyncio.sleep(PROBE_EVERY_S)
    writing.close()
    reading.close()
    return found


async def _read_back(town: Town, command: Served, query: Served, number: int, seconds: float) -> tuple[int, int]:
    """Write and read the written tweet, repeatedly; return how many reads were stale, of how many."""
    writing, reading = await Connection.open(command.port), await Connection.open(query.port)
    stale, reads, until = 0, 0, time.perf_counter() + seconds
    readers = itertools.cycle(town.readers[number::WRITERS])
    while not reads or time.perf_counter() < until:
        token = town.tokens[next(readers)]
        head, body = await writing.exchange(post(token, "is it there?"))
        assert b" 201 " in head, body
        written = _TOKEN.search(head)
        assert written is not None, head
        for path in (f"/api/v1/tweets/{body[7:43].decode()}", "/api/v1/feed"):
            head, body = await reading.exchange(get(token, path, f"consistency-token: {written[1].decode()}"))
            reads += 1
            stale += b"consistency: stale" in head
        await asyncio.sleep(PAUSE_S)
    writing.close()
    reading.close()
    return stale, reads
