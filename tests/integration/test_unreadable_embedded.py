"""Many unreadable records stop a group of the embedded profile, and one command discards them."""

from __future__ import annotations

import json
from pathlib import Path
from subprocess import CompletedProcess

import pytest

from events.graph import AccountFollowed
from events.log import Record
from projectors.graph import Graph
from runtime.dead_letter_policy import MOST
from runtime.embedded.dead_letters import give_up, letters_in, standings_in
from runtime.embedded.log_inspection import LookingAtSqlite
from runtime.unreadable_records import find_unreadable
from stores.groups import ANALYTICS, SERVING
from tests.integration.in_process import opened, populate
from tests.integration.running import Serving, answered, minitwitter
from tests.integration.test_dead_letters_embedded import damage, failing, records_of, verdict
from tests.integration.test_dead_letters_serving import readiness, until

TWEETS = 3 * MOST


async def filled(directory: Path) -> list[Record]:
    """Create a directory with many damaged tweets, none applied yet; return the damaged ones."""
    async with opened(directory, partitions=1) as (system, _):
        await populate(system)
        tweets = (await records_of(system, "TweetPosted"))[:TWEETS]
        for tweet in tweets:
            damage(directory, tweet.place, tweet.offset)
    return tweets


def given_up(directory: Path, *words: str) -> CompletedProcess[str]:
    return minitwitter("dead-letters", "discard", "--unreadable", "--data", directory, *words)


async def test_a_group_that_stopped_for_another_reason_goes_on_past_what_is_given_up(tmp_path: Path) -> None:
    async with opened(tmp_path) as (system, views):
        await populate(system)
        follows = {record.key: record for record in await records_of(system, "AccountFollowed")}
        *refused, unreadable = list(follows.values())[: MOST + 1]
        with failing(views, Graph, AccountFollowed, lambda event: event in [one.event for one in refused]):
            damage(tmp_path, unreadable.place, unreadable.offset)
            await views.project()
            assert views.projecting.stopped.keys() == {SERVING}
            standings = await standings_in(tmp_path)
            found = await find_unreadable(LookingAtSqlite(system.log.table), standings)
            assert found.by_group() == {SERVING: 1}
            await give_up(system, found.discards())
            await views.projecting.take_discards()
            await views.project()
            assert views.projecting.stopped == {}
            assert views.projecting.positions(SERVING).covers(await system.log.ends())
        assert {one.position for one in await letters_in(tmp_path) if one.cause} == {one.position for one in refused}


async def test_without_a_server_it_is_said_what_there_is_and_yes_gives_it_up(tmp_path: Path) -> None:
    tweets = await filled(tmp_path)
    async with opened(tmp_path, partitions=1) as (system, views):
        await views.project()
        assert views.projecting.stopped.keys() == {SERVING, ANALYTICS}
        end = sum((await system.log.ends()).values())
    unsure = given_up(tmp_path)
    assert (unsure.returncode, unsure.stdout) == (1, "")
    first = min((record.place, record.offset, record.position) for record in tweets)[2]
    assert unsure.stderr.splitlines() == [
        f"minitwitter: {TWEETS} records cannot be read",
        f"  {TWEETS} of tweets, the first at {first}: its checksum differs: the row is damaged",
        "minitwitter: say --yes to give them up: analytics, serving and rebuilds skip what is given up, and there is no"
        " way back",
    ]
    async with opened(tmp_path, partitions=1) as (system, _):
        assert sum((await system.log.ends()).values()) == end
    sure = given_up(tmp_path, "--yes", "--group", SERVING)
    assert (sure.returncode, sure.stdout) == (0, f"{TWEETS} records were given up: {TWEETS} of serving\n"), sure.stderr
    sure = given_up(tmp_path, "--yes", "--json")
    assert (sure.returncode, json.loads(sure.stdout)) == (0, {"records": TWEETS, "groups": {ANALYTICS: TWEETS}})
    async with opened(tmp_path, partitions=1) as (system, views):
        await views.project()
        assert views.projecting.stopped == {}
        for group in (SERVING, ANALYTICS):
            assert views.projecting.positions(group).covers(await system.log.ends())
        assert {one.position for one in await letters_in(tmp_path)} == set()
    none = given_up(tmp_path)
    assert (none.returncode, none.stdout, none.stderr) == (0, "all records can be read\n", "")
    found = await verdict(tmp_path)
    assert [one.name for one in found.findings if not one.same and one.kind != "decision state"] == []


def test_what_is_unreadable_is_not_named_as_well(tmp_path: Path) -> None:
    refused = given_up(tmp_path, "--all")
    assert refused.returncode == 2
    assert "--unreadable finds the records itself" in refused.stderr


@pytest.mark.slow
async def test_a_server_goes_on_past_what_is_given_up_without_a_restart(tmp_path: Path) -> None:
    await filled(tmp_path)
    with Serving(tmp_path) as serving:
        until(lambda: "dead-letters discard --unreadable" in json.dumps(readiness(serving)))
        assert given_up(tmp_path).returncode == 1
        done = given_up(tmp_path, "--yes", "--json")
        groups = {ANALYTICS: TWEETS, SERVING: TWEETS}
        assert (done.returncode, json.loads(done.stdout)) == (0, {"records": TWEETS, "groups": groups}), done.stderr
        until(lambda: readiness(serving)["state"] == "ready")
        assert answered("dead-letters", "list", "--data", tmp_path) == []
