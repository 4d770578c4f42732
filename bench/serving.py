"""Figures of a running server: posting, reading, freshness, search, import, memory."""

from __future__ import annotations

import asyncio
import json
import random
import subprocess
import sys
import time
import urllib.parse
from collections.abc import Iterator
from pathlib import Path

import uvloop

from . import paced
from .community import Community, write_lines
from .figures import Figure
from .served import Served, served
from .wrk import wrk

POSTERS = 5000
"""Enough that 5,000 posts a second stay under the limit of one a second, burst 5, for each account."""
READERS = 100
"""Of each length of feed."""
FOLLOWEES = 300
FEW_FOLLOWEES = 4
TWEETS = 200_000
REAL_DATA = Path("../shared/data")


def measure(place: Path, scale: float) -> Iterator[Figure]:
    """Measure posting, reading a tweet and the feed, freshness, memory."""
    community = Community(place / "data")
    followees = [FOLLOWEES] * READERS + [FEW_FOLLOWEES] * READERS
    uvloop.run(community.fill(accounts=POSTERS, followees=followees, tweets=int(TWEETS * scale)))
    posters = write_lines(place / "posters", community.tokens)
    readers = write_lines(place / "readers", community.tokens[:READERS])
    readers_of_few = write_lines(place / "readers-of-few", community.tokens[READERS : 2 * READERS])
    tweets = write_lines(place / "tweets", [f"/api/v1/tweets/{id_}" for id_ in community.tweets[-5000:]])
    feed = write_lines(place / "feed", ["/api/v1/feed"])
    constants = place / "constants"
    constants.mkdir()
    seconds = max(2, int(10 * scale))
    with served(place / "data", constants) as server:
        server.wait_until_current()
        _constants(server, community, constants)
        same_tweet = write_lines(place / "same-tweet", ["/api/v1/constant/tweet"])
        same_feed = write_lines(place / "same-feed", ["/api/v1/constant/feed"])
        same_feed_of_few = write_lines(place / "same-feed-of-few", ["/api/v1/constant/feed-of-few"])
        # The first request with a token checks its signature, which is not measured.
        wrk(server.url, "get.lua", (posters, same_tweet), seconds=2)

        limit = wrk(server.url, "get.lua", (readers, same_tweet), seconds=seconds)
        load = wrk(server.url, "get.lua", (readers, tweets), seconds=seconds)
        yield Figure("GET /tweets/{id}", load.per_second, "/s", 17_000, limit=limit.per_second, limit_name="same bytes")

        limit = wrk(server.url, "get.lua", (readers, same_feed), seconds=seconds)
        load = wrk(server.url, "get.lua", (readers, feed), seconds=seconds)
        yield Figure(
            f"GET /feed, {FOLLOWEES} followees",
            load.per_second,
            "/s",
            4_000,
            limit=limit.per_second,
            limit_name="same bytes",
        )

        limit = wrk(server.url, "get.lua", (readers_of_few, same_feed_of_few), connections=16, seconds=seconds)
        load = wrk(server.url, "get.lua", (readers_of_few, feed), connections=16, seconds=seconds)
        yield Figure(
            f"GET /feed, {FEW_FOLLOWEES} followees, 16 connections, of the same bytes",
            100 * load.per_second / limit.per_second,
            "%",
            12,
            limit=limit.per_second,
            limit_name="same bytes",
            limit_unit="/s",
        )

        limit = wrk(f"{server.url}/api/v1/constant/post", "post.lua", (posters,), seconds=seconds)
        load = wrk(f"{server.url}/api/v1/tweets", "post.lua", (posters,), seconds=seconds)
        yield Figure(
            "POST /tweets, 10 s burst", load.per_second, "/s", 6_000, limit=limit.per_second, limit_name="constant"
        )
        server.wait_until_current()
        yield from _sustained(server, community, 60 * scale, load.per_second)
        yield from _freshness(server, community, scale)
        server.wait_until_current()
        yield Figure("memory of serve", server.memory_mib(), "MiB", 300, more_is_better=False)


def _constants(server: Served, community: Community, constants: Path) -> None:
    """Write the bodies of the constant routes: the bytes of real answers."""
    token = community.tokens[0]
    tweet = server.read(f"/api/v1/tweets/{community.tweets[-1]}", token)
    (constants / "tweet").write_bytes(tweet)
    (constants / "post").write_bytes(tweet)
    (constants / "feed").write_bytes(server.read("/api/v1/feed", token))
    (constants / "feed-of-few").write_bytes(server.read("/api/v1/feed", community.tokens[READERS]))


def _sustained(server: Served, community: Community, seconds: float, burst: float) -> Iterator[Figure]:
    rate = 2_500
    started = time.perf_counter()
    accepted = uvloop.run(paced.posts(server.port, community.tokens, rate, seconds))
    elapsed = time.perf_counter() - started
    lag = server.lag_seconds()
    yield Figure(
        f"POST /tweets held for {seconds:.0f} s",
        accepted / elapsed,
        "/s",
        rate * 0.99,
        limit=burst,
        limit_name="the burst",
    )
    yield Figure("lag of the read models after that", lag, "s", 1.0, more_is_better=False)


def _freshness(server: Served, community: Community, scale: float) -> Iterator[Figure]:
    probes = max(50, int(1000 * scale))
    probing = frozenset(community.followed)
    others = [token for token in community.tokens if token not in probing]

    async def run() -> list[float]:
        background = asyncio.create_task(paced.posts(server.port, others, 1000, probes * 0.015 + 1, connections=16))
        await asyncio.sleep(0.5)
        found = await paced.seen_after(server.port, community.followed, community.tokens[0], probes, 0.01)
        await background
        return found

    found = uvloop.run(run())
    yield Figure("201 to seen in a feed, p50", found[len(found) // 2], "ms", 5, more_is_better=False)
    yield Figure("201 to seen in a feed, p99", found[int(len(found) * 0.99)], "ms", 25, more_is_better=False)


def measure_search(place: Path, scale: float) -> Iterator[Figure]:
    """Measure searching 500,000 tweets for rare and common words, newest first."""
    community = Community(place / "data")
    uvloop.run(community.fill(accounts=1000, tweets=int(500_000 * scale)))
    constants = place / "constants"
    constants.mkdir()
    with served(place / "data", constants) as server:
        server.wait_until_current(600)
        pick = random.Random(1)  # noqa: S311  # the same each time
        for name, words in (("newest first", None), ("a common word", ["love"])):
            took = []
            for _ in range(max(50, int(500 * scale))):
                word = str(pick.randrange(100_000)) if words is None else pick.choice(words)
                path = "/api/v1/search/tweets?" + urllib.parse.urlencode({"q": word})
                started = time.perf_counter()
                server.read(path, community.tokens[0])
                took.append((time.perf_counter() - started) * 1000)
            took.sort()
            yield Figure(f"search, {name}, p99", took[int(len(took) * 0.99)], "ms", 10, more_is_better=False)


def measure_import(place: Path, scale: float) -> Iterator[Figure]:
    """Measure importing the real tweets and the real graph beside a server, until every read model is current."""
    tweets, graph = REAL_DATA / "airline-tweets.csv", REAL_DATA / "facebook-edges.txt"
    if not tweets.exists():
        print(f"the real data is not at {REAL_DATA}: nothing to import", file=sys.stderr)
        return
    constants = place / "constants"
    constants.mkdir()
    with served(place / "data", constants) as server:
        started = time.perf_counter()
        for what, file in (("tweets", tweets), ("graph", graph)):
            command = [sys.executable, "-m", "runtime.cli", "import", what, str(file), "--json"]
            done = subprocess.run(  # noqa: S603
                [*command, "--data", str(place / "data")], check=True, capture_output=True, text=True
            )
            json.loads(done.stdout)
        server.wait_until_current()
        elapsed = time.perf_counter() - started
        yield Figure("import of real tweets and graph", elapsed, "s", 20, more_is_better=False)
        yield Figure("memory of serve after the import", server.memory_mib(), "MiB", 300, more_is_better=False)
