"""Rebuilding a long log in processes gives the same rows and leaves nothing behind, also after crashes and errors."""

from __future__ import annotations

import resource
import subprocess
from pathlib import Path

import apsw
import pytest
from msgspec import StructMeta

from events.engagement import TweetLiked
from events.log import New
from events.tweets import TweetPosted
from runtime.dead_letters import Choice
from runtime.embedded import fill, projector_loop
from runtime.embedded.dead_letters import discard
from runtime.embedded.fill import Filler
from runtime.embedded.fill_shares import shares_of
from runtime.embedded.models import ALL_TABLES
from runtime.embedded.system import InProcess
from runtime.rebuild_progress import RebuildProgress
from stores.groups import SERVING
from tests.integration.in_process import opened, populate
from tests.integration.test_dead_letters_embedded import damage, records_of, verdict

pytestmark = pytest.mark.slow

MODELS = [tables.model for tables in ALL_TABLES]
IN_TIME_S = 60


@pytest.fixture(autouse=True)
def _any_log_is_long(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(projector_loop, "WORTHWHILE", 1)


def in_processes(views: InProcess, directory: Path, processes: int = 2) -> list[RebuildProgress]:
    """Make rebuilds use processes; return their reports."""
    told: list[RebuildProgress] = []
    views.projecting._filler = Filler(directory, directory / "master.key", processes)
    views.projecting.on_progress = told.append
    return told


def compared(told: list[RebuildProgress]) -> dict[str, bool | None]:
    return {one.model: one.same for progress in told for one in progress.compared}


def left_in(directory: Path) -> tuple[list[str], list[str]]:
    """Return the files of fills, and the tables of generations that never became current."""
    connection = apsw.Connection(str(directory / "views.db"), flags=apsw.SQLITE_OPEN_READONLY)
    tables = [name for (name,) in connection.execute("SELECT name FROM sqlite_schema WHERE type='table'")]
    connection.close()
    return [path.name for path in directory.glob("rebuild-*")], [name for name in tables if name.endswith("_2")]


def processes_of(views: InProcess) -> list[subprocess.Popen[bytes]]:
    """Return the running processes of fills."""
    filler = views.projecting._filler
    assert filler is not None
    return [share._process for share in filler._shares if share._process is not None]


@pytest.mark.parametrize("processes", [1, 3])
async def test_every_read_model_is_the_same_as_before_and_no_file_is_left(tmp_path: Path, processes: int) -> None:
    async with opened(tmp_path) as (system, views):
        await populate(system)
        await views.project()
        told = in_processes(views, tmp_path, processes)
        await views.projecting.rebuild(MODELS)
        assert list(tmp_path.glob("rebuild-*"))
        await views.project()
        assert compared(told) == dict.fromkeys(MODELS, True)
        assert list(tmp_path.glob("rebuild-*")) == []
        done = [progress.done for progress in told if progress.models[0] == "users"]
        assert done == sorted(done)
    assert (await verdict(tmp_path)).same


@pytest.mark.parametrize("rows", [0, 1_000_000])
async def test_a_rebuilt_read_model_has_the_indexes_of_the_one_it_replaces(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, rows: int
) -> None:
    monkeypatch.setattr(fill, "INDEXED_AFTERWARDS", rows)
    async with opened(tmp_path) as (system, views):
        await populate(system)
        await views.project()

        def indexes(generation: int) -> list[str]:
            found = views.views.connection.execute("SELECT sql FROM sqlite_schema WHERE type='index' AND sql NOT NULL")
            ending = f"_{generation}"
            return sorted(sql.replace(ending, "_N") for (sql,) in found if f"{ending} " in sql)

        before = indexes(1)
        in_processes(views, tmp_path)
        await views.projecting.rebuild(MODELS)
        await views.project()
        assert before
        assert indexes(2) == before


async def test_events_appended_while_files_are_filled_are_applied_once(tmp_path: Path) -> None:
    async with opened(tmp_path) as (system, views):
        await populate(system, seed=1)
        await views.project()
        told = in_processes(views, tmp_path)
        await views.projecting.rebuild(MODELS)
        await populate(system, seed=2, people=15)
        await views.project()
        assert compared(told) == dict.fromkeys(MODELS, True)


async def test_a_copy_of_an_event_that_a_process_applied_is_not_applied_again(tmp_path: Path) -> None:
    async with opened(tmp_path) as (system, views):
        await populate(system)
        await views.project()
        first = [(await records_of(system, kind))[0] for kind in ("TweetLiked", "TweetPosted", "AccountFollowed")]
        told = in_processes(views, tmp_path)
        await views.projecting.rebuild(MODELS)
        await system.log.append([New(record.event, record.about) for record in first if record.event is not None])
        await views.project()
        assert compared(told) == dict.fromkeys(MODELS, True)


async def test_the_words_of_tweets_are_in_the_full_text_index_again(tmp_path: Path) -> None:
    async with opened(tmp_path) as (system, views):
        await populate(system)
        await views.project()
        in_processes(views, tmp_path)
        term, number = next(
            views.views.connection.execute("SELECT term, doc FROM search_terms_1 ORDER BY doc DESC LIMIT 1")
        )
        await views.projecting.rebuild(["search"])
        await views.project()
        found = views.views.connection.execute("SELECT doc FROM search_terms_2 WHERE term=?", (term,)).get
        assert found == number


async def test_a_rebuild_that_is_cancelled_ends_its_processes_and_leaves_nothing(tmp_path: Path) -> None:
    async with opened(tmp_path) as (system, views):
        await populate(system)
        await views.project()
        told = in_processes(views, tmp_path)
        await views.projecting.rebuild(MODELS)
        running = processes_of(views)
        assert sorted(views.projecting.cancel()) == sorted(MODELS)
        assert all(process.poll() is not None for process in running)
        assert left_in(tmp_path) == ([], [])
        assert {progress.state for progress in told} == {"cancelled"}
        await views.projecting.rebuild(["counts"])
        await views.project()
        assert compared(told) == {"counts": True}


async def test_a_process_that_is_killed_ends_its_rebuild_alone(tmp_path: Path) -> None:
    async with opened(tmp_path) as (system, views):
        await populate(system)
        await views.project()
        told = in_processes(views, tmp_path)
        await views.projecting.rebuild(["counts", "sentiment"])
        processes_of(views)[0].kill()
        await views.project()
        assert [(one.models, one.state) for one in told if one.state != "building" and one.models == ("counts",)] == [
            (("counts",), "failed")
        ]
        assert "the process that filled counts ended with -9" in next(o.detail for o in told if o.state == "failed")
        assert compared(told) == {"sentiment": True}
        assert views.views.generations()["counts"] == 1
        assert list(tmp_path.glob("rebuild-*")) == []


async def test_the_next_start_removes_what_a_killed_server_left(tmp_path: Path) -> None:
    async with opened(tmp_path) as (system, views):
        await populate(system)
        await views.project()
        in_processes(views, tmp_path)
        await views.projecting.rebuild(MODELS)
        files, tables = left_in(tmp_path)
        assert files
        assert tables
        processes = processes_of(views)
    for process in processes:
        assert process.stdin is not None
        assert process.stdout is not None
        process.stdin.close()  # as the kernel does when a process is killed
        process.wait(IN_TIME_S)
        process.stdout.close()
    async with opened(tmp_path) as (system, views):
        in_processes(views, tmp_path)
        await views.projecting.start()
        assert left_in(tmp_path) == ([], [])


@pytest.mark.parametrize("kind", [TweetPosted, TweetLiked])
async def test_a_record_that_cannot_be_applied_is_named_and_given_up(tmp_path: Path, kind: StructMeta) -> None:
    async with opened(tmp_path) as (system, views):
        await populate(system)
        await views.project()
        [*_, bad] = await records_of(system, kind.__name__)
        damage(tmp_path, bad.place, bad.offset)
        told = in_processes(views, tmp_path)
        await views.projecting.rebuild(["tweets", "counts"])
        await views.project()
        assert told[-1].state == "failed"
        assert f"{bad.position} {kind.__name__} cannot be applied" in told[-1].detail
        assert left_in(tmp_path) == ([], [])
        await discard(system, Choice(group=SERVING, position=bad.position))
        await views.projecting.take_discards()
        await views.projecting.rebuild(["tweets", "counts"])
        await views.project()
        assert told[-1].state == "done"


async def test_a_disk_that_refuses_a_file_ends_the_rebuild_and_the_live_models_go_on(tmp_path: Path) -> None:
    async with opened(tmp_path) as (system, views):
        await populate(system)
        await views.project()
        told = in_processes(views, tmp_path)
        await views.projecting.rebuild(MODELS)
        for process in processes_of(views):
            resource.prlimit(process.pid, resource.RLIMIT_FSIZE, (4096, 4096))
        await views.project()
        failed = [progress for progress in told if progress.state == "failed"]
        assert failed
        assert "rebuild-" not in str(sorted(path.name for path in tmp_path.iterdir()))
        await populate(system, seed=2)
        await views.project()
        assert views.projecting.positions(SERVING).covers(await system.log.ends())


def test_shares_are_balanced_and_each_read_model_is_in_one() -> None:
    topics = {model: {"engagement", "tweets"} for model in ("counts", "engagement", "notifications")}
    topics |= {model: {"tweets"} for model in ("tweets", "search", "hashtags", "user_timelines")}
    events = {"tweets": 100_000, "engagement": 300_000}
    found = {processes: shares_of(topics, events, processes) for processes in (1, 2, 4)}
    assert [sorted(model for share in shares for model in share) for shares in found.values()] == [sorted(topics)] * 3
    assert [len(shares) for shares in found.values()] == [1, 2, 2]  # more would read the likes once more each
    apart = {topic: {topic} for topic in ("tweets", "engagement", "graph", "accounts")}
    assert len(shares_of(apart, dict.fromkeys(apart, 100_000), 4)) > 2
