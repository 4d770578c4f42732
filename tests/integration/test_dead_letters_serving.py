"""Dead letters beside a running server: its reports, a kill, and the commands that retry and discard."""

from __future__ import annotations

import json
import os
import signal
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any, TypeVar

import apsw
import pytest

from events.log import Record
from tests.integration.in_process import opened, populate
from tests.integration.running import Serving, answered, minitwitter
from tests.integration.test_dead_letters_embedded import damage, records_of

LONGEST_S = 60

T = TypeVar("T")

pytestmark = pytest.mark.slow


async def filled(directory: Path) -> tuple[Record, Record]:
    """A directory whose last tweet and last follow are damaged. No event is applied yet."""
    async with opened(directory, partitions=1) as (system, _):
        await populate(system)
        [*_, tweet] = await records_of(system, "TweetPosted")
        [*_, follow] = await records_of(system, "AccountFollowed")
        for record in (tweet, follow):
            damage(directory, record.place, record.offset)
    for path in directory.glob("views.db*"):
        path.unlink()
    return tweet, follow


def readiness(serving: Serving) -> dict[str, Any]:
    """Return /readyz as soon as it reports more than a lag."""
    found: dict[str, Any] = serving.http.get("/readyz").json()
    return found


def until(condition: Callable[[], T]) -> T:
    deadline = time.monotonic() + LONGEST_S
    while not (found := condition()):
        assert time.monotonic() < deadline
        time.sleep(0.1)
    return found


def listed(directory: Path) -> list[dict[str, Any]]:
    done = minitwitter("dead-letters", "list", "--data", directory, "--json")
    letters: list[dict[str, Any]] = json.loads(done.stdout)
    assert done.returncode == (1 if letters else 0), done.stderr
    return letters


async def test_where_the_log_is_not_read_yet_the_list_says_so(tmp_path: Path) -> None:
    async with opened(tmp_path, partitions=1) as (system, _):
        await populate(system)
    listed = minitwitter("dead-letters", "list", "--data", tmp_path)
    assert (listed.returncode, "no dead letters so far: serving has" in listed.stdout) == (0, True), listed


async def test_a_server_goes_on_beside_dead_letters_says_so_and_they_are_mended(tmp_path: Path) -> None:
    directory = tmp_path / "data"
    tweet, follow = await filled(directory)
    with Serving(directory) as serving:
        found = until(lambda: [one for one in listed(directory) if one["cause"]])
        assert {(one["group"], one["position"]) for one in found} >= {("serving", follow.position)}
        until(lambda: len({one["position"] for one in listed(directory) if one["cause"]}) == 2)
        os.kill(serving.projecting(), signal.SIGKILL)
        before = listed(directory)
        until(lambda: "dead letters" in json.dumps(readiness(serving)))
        assert serving.http.get("/readyz").status_code == 200
        assert 'minitwitter_dead_letters{group="serving"} ' in serving.http.get("/metrics").text
        failed = minitwitter("dead-letters", "retry", "--all", "--data", directory)
        assert failed.returncode == 1, failed.stderr
        assert "are left" in failed.stdout
        assert {one["position"] for one in listed(directory)} == {one["position"] for one in before}
        refused = minitwitter("rebuild", "users", "--data", directory)
        assert refused.returncode == 4
        assert "is a dead letter of serving" in refused.stderr
        assert minitwitter("verify", "--data", directory).returncode == 1
        for position in (tweet.position, follow.position):
            done = minitwitter("dead-letters", "discard", position, "--data", directory)
            assert done.returncode == 0, done.stderr
            again = minitwitter("dead-letters", "discard", position, "--data", directory)
            assert (again.returncode, again.stderr) == (1, f"minitwitter: there is no dead letter {position}\n")
        assert listed(directory) == []
        none = minitwitter("dead-letters", "retry", "--all", "--data", directory)
        assert (none.returncode, none.stdout) == (0, "there are no dead letters\n")
        assert (
            minitwitter("dead-letters", "retry", "--entity", f"tweets/{tweet.key}", "--data", directory).returncode == 1
        )
        answered("rebuild", "users", "graph", "--data", directory)
        assert minitwitter("dead-letters", "discard", "tweets-0@999999", "--data", directory).returncode == 1
        assert minitwitter("dead-letters", "discard", "nowhere", "--data", directory).returncode == 2


async def test_a_rebuild_ends_at_a_damaged_record_and_the_server_goes_on(tmp_path: Path) -> None:
    directory = tmp_path / "data"
    async with opened(directory, partitions=1) as (system, views):
        await populate(system)
        await views.project()
        [*_, tweet] = await records_of(system, "TweetPosted")
        damage(directory, tweet.place, tweet.offset)
    with Serving(directory) as serving:
        ended = minitwitter("rebuild", "tweets", "--data", directory)
        assert ended.returncode == 4
        assert ended.stderr.startswith(f"minitwitter: {tweet.position} TweetPosted cannot be applied: ")
        assert "The log is damaged: restore log.db from a backup" in ended.stderr
        verified = minitwitter("verify", "--data", directory)
        assert verified.returncode == 1
        assert f"1 record that can be applied no more: {tweet.position}\n" in verified.stdout
        restore = "restore log.db from a backup before you rebuild or discard"
        assert f"the log is damaged at {tweet.position}: {restore}\n" in verified.stdout
        assert ended.stderr.count("\n") == 1
        assert serving.http.get("/readyz").status_code == 200
        assert serving.stop() == 0
    # Without a server the log is told first.
    unsure = minitwitter("dead-letters", "discard", tweet.position, "--group", "serving", "--data", directory)
    assert unsure.returncode == 1
    assert f"{tweet.position} is no dead letter of serving" in unsure.stderr
    done = minitwitter("dead-letters", "discard", tweet.position, "--group", "serving", "--yes", "--data", directory)
    assert "dead letter" not in done.stdout
    assert done.returncode == 0, done.stderr
    rebuilt = minitwitter("rebuild", "tweets", "--data", directory)
    assert rebuilt.returncode == 1, rebuilt.stderr
    assert "DIFFERENT" in rebuilt.stdout  # the tweet was in the one before


async def test_a_log_that_a_newer_minitwitter_wrote_is_not_served(tmp_path: Path) -> None:
    directory = tmp_path / "data"
    async with opened(directory, partitions=1) as (system, _):
        await populate(system, people=2, tweets=2)
    connection = apsw.Connection(str(directory / "log.db"))
    connection.execute("INSERT INTO kinds VALUES ('TweetTranslated', 1)")
    connection.close()
    ended = minitwitter("serve", "--data", directory, "--port", "0")
    assert ended.returncode == 4
    assert "TweetTranslated version 1; a newer minitwitter wrote them" in ended.stderr
    assert ended.stderr.strip().count("\n") == 0
