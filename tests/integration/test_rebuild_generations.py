"""Rebuilding beside the live read models: switching, kept generations, and recovery after a crash."""

from __future__ import annotations

import asyncio
from array import array
from collections.abc import Iterable
from pathlib import Path

import apsw
import pytest

from events.operations import ReadModelSwitched
from events.topics import TOPICS
from projectors.counts import Counts
from projectors.users import Users
from runtime.embedded.models import ALL_TABLES
from runtime.embedded.processors import UnknownModel
from runtime.embedded.rebuild import AlreadyRebuilding, CannotGoBack
from runtime.embedded.system import InProcess, System
from runtime.rebuild_progress import Compared, RebuildProgress
from stores.sqlite.views import Views
from tests.integration.in_process import opened, populate

TABLES = {tables.model: tables for tables in ALL_TABLES}


async def switches(system: System) -> list[tuple[str, int]]:
    records = await system.log.read({}, 1000, ("operations",))
    return [(r.event.model, r.event.generation) for r in records if isinstance(r.event, ReadModelSwitched)]


async def rebuilt(views: InProcess, models: Iterable[str], *, back: bool = False) -> list[Compared]:
    found: list[RebuildProgress] = []
    views.projecting.on_progress = found.append
    await views.projecting.rebuild(list(models), back=back)
    await views.project()
    return [one for progress in found for one in progress.compared]


def changed(directory: Path, statement: str) -> None:
    connection = apsw.Connection(str(directory / "views.db"))
    connection.execute(statement)
    connection.close()


async def test_every_rebuilt_read_model_equals_the_one_it_replaces(tmp_path: Path) -> None:
    async with opened(tmp_path) as (system, views):
        await populate(system)
        await views.project()
        compared = await rebuilt(views, TABLES)
        assert sorted(one.model for one in compared) == sorted(TABLES)
        assert [one.model for one in compared if one.same is not True] == []
        assert {one.generation for one in compared} == {2}


async def test_what_happens_during_a_rebuild_is_in_the_rebuilt_model_once(tmp_path: Path) -> None:
    async with opened(tmp_path) as (system, views):
        await populate(system, seed=1)
        await views.project()
        await views.projecting.rebuild(["counts", "user_timelines"])
        await views.turn()
        await populate(system, seed=2, people=15)
        compared: list[Compared] = []
        views.projecting.on_progress = lambda progress: compared.extend(progress.compared)
        await views.project()
        assert [one.same for one in compared] == [True, True]


async def test_a_switch_is_in_the_log_and_readers_follow_it(tmp_path: Path) -> None:
    async with opened(tmp_path) as (system, views):
        await populate(system)
        await views.project()
        before = system.readers
        await rebuilt(views, ["users"])
        assert await switches(system) == [("users", 2)]
        assert system.readers is not before
        assert system.generations["users"] == (2, Users.version)


async def switched_and_not_recorded(system: System, views: InProcess) -> None:
    """Leave a rebuild of `users` in the state of a process that died right after the switch."""
    await populate(system)
    await views.project()
    await views.projecting.rebuild(["users"])
    while views.projecting.rebuilding:
        await views.projecting.turn()


async def test_a_switch_that_a_crash_kept_out_of_the_log_is_recorded_at_the_next_start(tmp_path: Path) -> None:
    async with opened(tmp_path) as (system, views):
        await switched_and_not_recorded(system, views)
        assert await switches(system) == []
    async with opened(tmp_path) as (system, views):
        await system.record_switches()
        await system.record_switches()
        assert await switches(system) == [("users", 2)]


async def test_a_switch_is_recorded_once_when_several_groups_switch_at_once(tmp_path: Path) -> None:
    async with opened(tmp_path) as (system, views):
        await switched_and_not_recorded(system, views)
    async with opened(tmp_path) as (system, views):
        await asyncio.gather(system.record_switches(), system.record_switches(), system.record_switches())
        assert await switches(system) == [("users", 2)]


async def test_a_rebuild_that_was_broken_off_leaves_nothing_and_can_be_done_again(tmp_path: Path) -> None:
    async with opened(tmp_path) as (system, views):
        await populate(system)
        await views.project()
        await views.projecting.rebuild(["tweets"])
        await views.turn()
    async with opened(tmp_path) as (system, views):
        tables = [row[0] for row in views.views.connection.execute("SELECT name FROM sqlite_schema")]
        assert [name for name in tables if name.startswith("tweets") and name.endswith("_2")] == []
        assert [one.same for one in await rebuilt(views, ["tweets"])] == [True]


async def test_going_back_brings_the_kept_generation_up_from_where_it_stopped(tmp_path: Path) -> None:
    async with opened(tmp_path) as (system, views):
        await populate(system, seed=1)
        await views.project()
        await rebuilt(views, ["counts", "engagement"])
        await populate(system, seed=2, people=15)
        await views.project()
        (back,) = await rebuilt(views, ["counts"], back=True)
        assert (back.generation, back.same) == (1, True)
        assert await switches(system) == [("counts", 2), ("engagement", 2), ("counts", 1)]
        assert system.generations["engagement"] == (2, 1)


async def test_going_back_that_was_broken_off_counts_nothing_twice(tmp_path: Path) -> None:
    async with opened(tmp_path) as (system, views):
        await populate(system, seed=1)
        await views.project()
        await rebuilt(views, ["counts", "engagement"])
        await populate(system, seed=2, people=15)
        await views.project()
        await views.projecting.rebuild(["counts"], back=True)
        await views.turn()
    async with opened(tmp_path) as (system, views):
        for model in ("counts", "engagement"):
            (back,) = await rebuilt(views, [model], back=True)
            assert (back.generation, back.same) == (1, True)


async def test_rebuilds_that_overlap_leave_each_other_alone(tmp_path: Path) -> None:
    async with opened(tmp_path) as (system, views):
        await populate(system)
        await views.project()
        done = []
        views.projecting.on_progress = lambda progress: done.append(progress.done / progress.total)
        await views.projecting.rebuild(["counts"])
        while not done or done[-1] < 0.6:
            await views.turn()
        assert done[-1] < 1
        compared = await rebuilt(views, ["engagement"])
        assert [one.same for one in compared] == [True, True]
        # What is kept for going back knows the newest id of every entity that it counts by, as the live group does.
        execute = views.views.connection.execute
        kept = execute("SELECT consumers FROM kept_generations WHERE model='counts'").get
        count = "SELECT count(*) FROM newest WHERE consumers=? AND topic IN (SELECT value FROM carray(?))"
        counted = apsw.carray(array("q", [TOPICS[topic].number for topic in Counts.topics()]))
        newest = [execute(count, (who, counted)).get for who in (kept, "serving")]
        assert newest[0] == newest[1] > 0


async def test_there_is_no_going_back_where_nothing_is_kept(tmp_path: Path) -> None:
    async with opened(tmp_path) as (_, views):
        with pytest.raises(CannotGoBack, match="no older generation of users is kept"):
            await views.projecting.rebuild(["users"], back=True)


async def test_there_is_no_going_back_to_rows_of_another_version(tmp_path: Path) -> None:
    async with opened(tmp_path) as (system, views):
        await populate(system)
        await views.project()
        await rebuilt(views, ["users"])
    changed(tmp_path, "UPDATE kept_generations SET version=0")
    async with opened(tmp_path) as (_, views):
        with pytest.raises(CannotGoBack, match="made by version 0"):
            await views.projecting.rebuild(["users"], back=True)


async def test_a_read_model_is_rebuilt_once_at_a_time(tmp_path: Path) -> None:
    async with opened(tmp_path) as (system, views):
        await populate(system)
        await views.project()
        await views.projecting.rebuild(["users", "tweets"])
        with pytest.raises(AlreadyRebuilding):
            await views.projecting.rebuild(["tweets"])


async def test_an_unknown_read_model_is_refused_before_anything_is_begun(tmp_path: Path) -> None:
    async with opened(tmp_path) as (_, views):
        with pytest.raises(UnknownModel, match="there is no read model tweats; there are users"):
            await views.projecting.rebuild(["users", "tweats"])
        assert not views.projecting.rebuilding


async def test_rows_of_an_older_version_are_rebuilt_before_anything_is_added_to_them(tmp_path: Path) -> None:
    async with opened(tmp_path) as (system, views):
        await populate(system, seed=1)
        await views.project()
        was = views.views.digest("counts")
        await populate(system, seed=2, people=15)
    changed(tmp_path, "UPDATE models SET version=0 WHERE model='counts'")
    changed(tmp_path, "".join(f"DELETE FROM {name};" for name in TABLES["counts"].names(1).values()))
    async with opened(tmp_path) as (_, views):
        assert views.views.generation("counts") == 2
        assert views.views.digest("counts") == was
        await views.project()
        (again,) = await rebuilt(views, ["counts"])
        assert again.same is True


async def test_a_read_model_that_is_new_to_an_old_data_directory_is_built_from_the_start_of_the_log(
    tmp_path: Path,
) -> None:
    async with opened(tmp_path) as (system, views):
        await populate(system)
        await views.project()
        was = views.views.digest("user_timelines")
    changed(tmp_path, "DELETE FROM models WHERE model='user_timelines'")
    changed(tmp_path, "".join(f"DROP TABLE {name};" for name in TABLES["user_timelines"].names(1).values()))
    async with opened(tmp_path) as (_, views):
        assert views.views.digest("user_timelines") == was


async def test_a_read_model_that_an_older_software_did_not_know_is_not_trusted_afterwards(tmp_path: Path) -> None:
    async with opened(tmp_path) as (system, views):
        await populate(system)
        await views.project()
    known = [tables for tables in ALL_TABLES if tables.model != "hashtags"]
    Views(tmp_path / "views.db", known).connection.close()
    newer = Views(tmp_path / "views.db", ALL_TABLES)
    assert newer.outdated() == ["hashtags"]
    newer.connection.close()


async def test_a_cancelled_rebuild_leaves_everything_as_it_was_and_can_be_begun_again(tmp_path: Path) -> None:
    async with opened(tmp_path) as (system, views):
        await populate(system)
        await views.project()
        before = views.views.generations()
        states = []
        views.projecting.on_progress = lambda progress: states.append(progress.state)
        await views.projecting.rebuild(["users", "counts"])
        views.projecting._pace.learn(1, 10.0)
        assert views.projecting.rebuilding
        assert set(views.projecting.cancel()) == {"users", "counts"}
        assert states[-1] == "cancelled"
        assert not views.projecting.rebuilding
        await views.project()
        assert views.views.generations() == before
        tables = {row[0] for row in views.views.connection.execute("SELECT name FROM sqlite_schema WHERE type='table'")}
        assert not [name for name in tables if name.endswith("_2")]
        assert [one.same for one in await rebuilt(views, ["users", "counts"])] == [True, True]


async def test_cancelling_where_nothing_is_rebuilt_changes_nothing(tmp_path: Path) -> None:
    async with opened(tmp_path) as (system, views):
        await populate(system)
        await views.project()
        assert views.projecting.cancel() == ()


async def test_a_rebuild_that_has_no_room_to_begin_is_refused_and_the_live_ones_go_on(tmp_path: Path) -> None:
    async with opened(tmp_path) as (system, views):
        await populate(system)
        await views.project()
        connection = views.views.connection
        connection.pragma("max_page_count", connection.pragma("page_count"))
        with pytest.raises(apsw.FullError):
            await views.projecting.rebuild(TABLES)
        connection.pragma("max_page_count", 1_000_000)
        assert not views.projecting.rebuilding
        await populate(system, seed=2, people=5)
        await views.project()
        assert [one.same for one in await rebuilt(views, ["users"])] == [True]
