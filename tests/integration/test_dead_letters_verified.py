"""Reports of verify for records that are dead letters or were discarded."""

from __future__ import annotations

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path

import apsw

from events.ids import to_bytes
from events.log import Record
from runtime.dead_letters import Choice
from runtime.embedded.dead_letters import discard
from runtime.embedded.system import InProcess, System
from stores.groups import ANALYTICS, SERVING
from tests.integration.in_process import opened, populate
from tests.integration.running import minitwitter
from tests.integration.test_dead_letters_embedded import damage, letters, records_of, verdict


@asynccontextmanager
async def damaged(directory: Path, kind: str) -> AsyncIterator[tuple[System, InProcess, Record]]:
    """A directory whose last record of a type is damaged. No event is applied yet."""
    async with opened(directory) as (system, views):
        await populate(system)
        [*_, record] = await records_of(system, kind)
        damage(directory, record.place, record.offset)
        await views.project()
        yield system, views, record


async def test_a_discarded_record_is_not_reported_as_unapplied_by_other_groups(tmp_path: Path) -> None:
    """Also if the other groups do not read its topic."""
    async with damaged(tmp_path, "AccountFollowed") as (system, views, follow):
        assert {group for group, _, cause in await letters(system) if cause} == {SERVING}
        assert await discard(system, Choice(position=follow.position)) == 1
        await views.projecting.take_discards()
        await views.project()
    found = await verdict(tmp_path)
    assert (found.failed, found.same, found.not_compared) == ((), True, (f"graph/{follow.key}",))


async def test_a_discarded_record_without_an_account_excludes_its_topic_from_the_comparison(
    tmp_path: Path,
) -> None:
    async with opened(tmp_path) as (system, views):
        await populate(system)
        [*_, tweet] = await records_of(system, "TweetPosted")
        log = apsw.Connection(str(tmp_path / "log.db"))
        log.execute("UPDATE records SET key='nonsense' WHERE id=?", (to_bytes(tweet.about.id),))
        log.close()
        await views.project()
        assert await discard(system, Choice()) > 0
        await views.projecting.take_discards()
    found = await verdict(tmp_path)
    assert (found.same, found.not_compared) == (False, ("tweets",))


async def test_an_unreadable_dead_letter_is_excluded_from_the_comparison(tmp_path: Path) -> None:
    async with damaged(tmp_path, "TweetPosted") as (_, _, tweet):
        pass
    found = await verdict(tmp_path)
    assert {letter.split()[0] for letter in found.dead_letters} == {SERVING, ANALYTICS}
    assert (found.same, found.failed, found.not_compared) == (True, (), (f"tweets/{tweet.key}",))


async def test_rebuilt_views_skip_discarded_records(tmp_path: Path) -> None:
    async with damaged(tmp_path, "TweetPosted") as (system, views, tweet):
        assert {group for group, _, cause in await letters(system) if cause} == {SERVING, ANALYTICS}
        assert await discard(system, Choice(position=tweet.position)) == 2
        await views.projecting.take_discards()
    for path in tmp_path.glob("views.db*"):
        path.unlink()
    async with opened(tmp_path) as (system, views):
        await views.project()
        assert await letters(system) == []
    found = await verdict(tmp_path)
    assert found.dead_letters == found.failed == ()
    assert found.same
    assert found.not_compared == (f"tweets/{tweet.key}",)


async def test_no_discard_can_be_discarded(tmp_path: Path) -> None:
    async with opened(tmp_path) as (system, _):
        await populate(system)
    asked = ("dead-letters", "discard", "operations-0@0", "--group", "serving", "--yes", "--data", tmp_path)
    refused = minitwitter(*asked)
    assert (refused.returncode, "no group reads operations" in refused.stderr) == (2, True), refused
