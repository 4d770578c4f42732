"""A broken producer stops the groups of a worker; one command gives its records up, shown on the real engines."""

import asyncio
import json
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import TypeVar

import pytest
from confluent_kafka import Producer

from runtime.dead_letter_policy import MOST
from runtime.dead_letters import Choice
from runtime.distributed.dead_letters import letters_of
from stores.dead_letters import DeadLetter
from tests.integration.installation import SOON, Installation, installed, post, ready, register
from tests.integration.test_dead_letters_of_processes import shown

pytestmark = [pytest.mark.engines, pytest.mark.slow, pytest.mark.long]

BROKEN = 5 * MOST
GROUPS = ("counts", "home", "search", "streams", "timelines", "trends")


@pytest.fixture
def installation(tmp_path: Path, kafka: str, postgres: str, cassandra: str, redis: str) -> Iterator[Installation]:
    with installed(tmp_path, kafka, postgres, cassandra, redis) as made:
        yield made


def write(installation: Installation) -> None:
    """What a producer that knows nothing of events writes."""
    producer = Producer({"bootstrap.servers": installation.brokers})
    for number in range(BROKEN):
        producer.produce(f"{installation.prefix}tweets", b"hello", f"key {number}".encode())
    assert producer.flush(SOON) == 0


async def letters(installation: Installation) -> list[DeadLetter]:
    async with letters_of(installation.settings()) as desk:
        return await desk.list(Choice())


T = TypeVar("T")


def until(condition: Callable[[], T], told: Callable[[], object]) -> T:
    deadline = time.monotonic() + SOON
    while not (found := condition()):
        assert time.monotonic() < deadline, told()
        time.sleep(0.2)
    return found


def test_groups_that_stopped_go_on_past_all_that_nobody_can_read_once_it_is_given_up(
    installation: Installation,
) -> None:
    with installation.process("serve", "command") as (command, client):
        ready(command, client)
        ada = register(client, "ada")
        tweet = post(client, ada, "before").json()["id"]
        with installation.process("work", "projectors") as (worker, working):
            ready(worker, working)
            asyncio.run(shown(installation, tweet))
            write(installation)
            assert worker.wait(SOON) == 4
        assert "dead-letters discard --unreadable" in worker.told()
        assert "never retrieved" not in worker.told()
        unsure = installation.command("dead-letters", "discard", "--unreadable")
        assert (unsure.returncode, unsure.stdout) == (1, "")
        assert f"minitwitter: {BROKEN} records cannot be read\n  {BROKEN} of tweets, the first at" in unsure.stderr
        assert "say --yes to give them up" in unsure.stderr
        done = installation.command("dead-letters", "discard", "--unreadable", "--yes", "--json")
        assert done.returncode == 0, done.stderr
        assert json.loads(done.stdout) == {"records": BROKEN, "groups": dict.fromkeys(GROUPS, BROKEN)}
        after = post(client, ada, "after").json()["id"]
        with installation.process("work", "projectors") as (worker, working):
            asyncio.run(shown(installation, after))
            ready(worker, working)
            until(lambda: asyncio.run(letters(installation)) == [], worker.told)
            until(lambda: working.get("/readyz").json()["state"] == "ready", worker.told)
