"""`minitwitter verify` and `rebuild` as commands, beside the processes that go on working."""

import asyncio
import json
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import ExitStack
from pathlib import Path

import pytest

from events.ids import TweetId
from runtime.distributed.models.catalogue import COUNTERS
from runtime.distributed.models.groups import count_keys
from stores.counts import TweetCounts
from stores.postgres.pointers import Pointers
from stores.redis.connection import connect
from stores.redis.counts import RedisCounts
from stores.redis.sink import RedisKeys
from tests.integration.installation import SOON, Installation, installed, post, ready, register

pytestmark = [pytest.mark.engines, pytest.mark.slow]

LONG = 300
PROCESSES = (("serve", "command"), ("work", "projectors"), ("work", "streams"))


@pytest.fixture
def installation(tmp_path: Path, kafka: str, postgres: str, cassandra: str, redis: str) -> Iterator[Installation]:
    with installed(tmp_path, kafka, postgres, cassandra, redis) as made:
        yield made


def done(installation: Installation, *words: str) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        [sys.executable, "-m", "runtime.cli", *words],
        env=installation.environment,
        cwd=installation.directory,
        capture_output=True,
        text=True,
        timeout=LONG,
        check=False,
    )


def counted(installation: Installation, tweet: TweetId, likes: int, *, after: str | None = None) -> str:
    """Wait until a tweet has so many likes where the pointer points, elsewhere than `after`; the name of that place."""

    async def ask(place: str) -> TweetCounts | None:
        redis = connect(installation.environment["MINITWITTER_REDIS_URL"])
        found = await RedisCounts(redis, RedisKeys(place)).of_tweets([tweet])
        await redis.aclose()
        return found.get(tweet)

    async def place() -> str:
        pointer = (await Pointers(installation.url).read()).get(COUNTERS)
        return count_keys(installation.prefix).name if pointer is None else pointer.generation

    deadline = time.monotonic() + SOON
    while True:
        found = asyncio.run(place())
        if found != after and asyncio.run(ask(found)) == TweetCounts(likes=likes):
            return found
        assert time.monotonic() < deadline
        time.sleep(0.1)


def test_a_living_installation_is_verified_and_its_counters_are_rebuilt_while_it_works(
    installation: Installation,
) -> None:
    with ExitStack() as stack:
        processes = [stack.enter_context(installation.process(*words)) for words in PROCESSES]
        for process in processes:
            ready(*process)
        client = processes[0][1]
        ada, bob = register(client, "ada"), register(client, "bob")
        tweet = post(client, ada, "a lovely day @bob #sunny").json()
        like = f"/api/v1/tweets/{tweet['id']}/like"
        assert client.post(like, headers=bob).status_code == 204
        first = counted(installation, tweet["id"], 1)
        verified = done(installation, "verify", "--json")
        assert verified.returncode == 0, verified.stdout + verified.stderr
        assert "closed connection" not in verified.stderr
        found = json.loads(verified.stdout)
        assert found["same"]
        assert {one["kind"] for one in found["findings"]} == {"read model", "feeds", "topic", "decision state"}
        rebuilt = done(installation, "rebuild", "counts")
        assert rebuilt.returncode == 0, rebuilt.stdout + rebuilt.stderr
        assert "closed connection" not in rebuilt.stderr
        assert "counts: now in" in rebuilt.stdout
        assert "the same as before" in rebuilt.stdout
        assert client.post(like, headers=register(client, "eve")).status_code == 204
        counted(installation, tweet["id"], 2, after=first)
        for process in processes:
            ready(*process)
