"""`minitwitter verify`: it agrees with what is right, and sees whatever is not."""

from __future__ import annotations

import asyncio
import fcntl
import os
from pathlib import Path

import apsw
import pytest

from events.ids import Millis
from runtime.embedded.dead_letters import letters_in
from runtime.embedded.scratch_directory import remove_leftovers
from runtime.embedded.status import of_files
from runtime.embedded.verify import _fresh, verify
from runtime.verdict import CannotVerify, Verdict
from stores.sqlite.damage import ViewsDamaged
from stores.sqlite.views import NoViews, Views
from tests.integration.in_process import NOW, opened, populate
from tests.integration.running import Serving, answered, minitwitter


async def verdict(directory: Path) -> Verdict:
    return await verify(directory, None, lambda total: None, lambda done: None)


async def filled(directory: Path) -> None:
    async with opened(directory) as (system, views):
        await populate(system)
        await views.project()


def changed(path: Path, statement: str) -> None:
    connection = apsw.Connection(str(path))
    connection.execute(statement)
    assert connection.changes() > 0
    connection.close()


def damage(path: Path, how: str) -> None:
    """Empty a file, cut off its end, or write over all its pages but the header."""
    connection = apsw.Connection(str(path))
    connection.execute("PRAGMA wal_checkpoint(TRUNCATE)")
    connection.close()
    for other in path.parent.glob(f"{path.name}-*"):
        other.unlink()
    whole = path.read_bytes()
    noise = whole[:100] + os.urandom(len(whole) - 100)
    path.write_bytes({"empty": b"", "cut short": whole[: len(whole) // 2], "random": noise}[how])


def differing(found: Verdict) -> list[tuple[str, str]]:
    return [(one.kind, one.name) for one in found.findings if not one.same]


async def test_everything_derived_is_a_function_of_the_log(tmp_path: Path) -> None:
    await filled(tmp_path)
    found = await verdict(tmp_path)
    assert found.same
    assert differing(found) == []
    assert {one.kind for one in found.findings} == {"read model", "topic", "decision state"}
    assert sum(one.live for one in found.findings) == sum(one.rebuilt for one in found.findings) > 1000


@pytest.mark.parametrize(
    ("file", "statement", "names"),
    [
        ("views.db", "DELETE FROM tweets_1 WHERE tweet=(SELECT max(tweet) FROM tweets_1)", [("read model", "tweets")]),
        ("log.db", "UPDATE decision_accounts SET version=version+1 WHERE number=(SELECT max(number) FROM"
         " decision_accounts)", [("decision state", "decision_accounts")]),
        ("views.db", "UPDATE records SET value='{}' WHERE position=(SELECT max(position) FROM records WHERE"
         " type='NotificationRaised')", [("topic", "notifications")]),
        ("views.db", "UPDATE records SET time=time+1 WHERE type='TweetScored'", [("topic", "sentiment")]),
    ],
)  # fmt: skip
async def test_one_changed_row_is_a_difference_with_a_name(
    tmp_path: Path, file: str, statement: str, names: list[tuple[str, str]]
) -> None:
    await filled(tmp_path)
    changed(tmp_path / file, statement)
    found = await verdict(tmp_path)
    assert not found.same
    assert differing(found) == names


async def test_views_behind_the_log_are_compared_where_they_stand(tmp_path: Path) -> None:
    async with opened(tmp_path) as (system, views):
        await populate(system, seed=1)
        await views.project()
        await populate(system, seed=2, people=15)
    found = await verdict(tmp_path)
    assert differing(found) == []
    assert set(found.behind) == {"serving", "analytics"}
    assert all(events > 0 for events in found.behind.values())
    assert not found.same


async def test_views_that_are_catching_up_are_waited_for(tmp_path: Path) -> None:
    async with opened(tmp_path) as (system, views):
        await populate(system)
        verifying = asyncio.create_task(verdict(tmp_path))
        await asyncio.sleep(0)
        await views.project()
        found = await verifying
    assert found.behind == {}
    assert found.same


async def test_what_a_killed_one_left_is_removed_and_what_another_works_on_is_not(tmp_path: Path) -> None:
    await filled(tmp_path)
    left, begins = tmp_path / "verify-left", tmp_path / "verify-begins"
    for place in (left, begins):
        place.mkdir()
        (place / "views.db").touch()
    (left / "lock").touch()
    with (begins / "lock").open("w") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        remove_leftovers(tmp_path)
        assert not left.exists()
        assert begins.exists()


async def test_its_copy_can_be_read_by_nobody_else(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    modes = []

    def fresh(path: Path) -> Views:
        modes.append(path.parent.stat().st_mode & 0o777)
        return _fresh(path)

    monkeypatch.setattr("runtime.embedded.verify._fresh", fresh)
    await filled(tmp_path)
    await verdict(tmp_path)
    assert modes == [0o700]


@pytest.mark.parametrize("how", ["missing", "empty", "cut short", "random"])
async def test_missing_and_damaged_views_are_named_with_what_mends_them(tmp_path: Path, how: str) -> None:
    await filled(tmp_path)
    views = tmp_path / "views.db"
    if how == "missing":
        views.unlink()
    else:
        damage(views, how)
    there = how not in ("missing", "empty")
    for asked in (verdict, letters_in):
        with pytest.raises(ViewsDamaged if there else NoViews, match=r"the next `minitwitter serve.*` makes") as told:
            await asked(tmp_path)
        assert "backup" not in str(told.value)
    found = await of_files(tmp_path, lambda: NOW)
    parts = {part.name: part for part in found.parts}
    assert (parts["log"].state, parts["read models"].state) == ("ready", "degraded")
    assert parts["read models"].detail == str(told.value)
    assert [group.dead_letters for group in found.groups] == [None, None]


async def test_a_log_that_ends_elsewhere_than_it_says_is_no_good_log_without_views_either(tmp_path: Path) -> None:
    await filled(tmp_path)
    (tmp_path / "views.db").unlink()
    changed(tmp_path / "log.db", "UPDATE ends SET next=next+1")
    log = next(part for part in (await of_files(tmp_path, lambda: NOW)).parts if part.name == "log")
    assert (log.state, "restore the log from a backup" in log.detail) == ("down", True)


async def test_verifying_can_be_broken_off_between_two_steps(tmp_path: Path) -> None:
    await filled(tmp_path)

    def break_off(done: int) -> None:
        verifying.cancel()

    verifying = asyncio.create_task(verify(tmp_path, None, lambda total: None, break_off))
    with pytest.raises(asyncio.CancelledError):
        await verifying
    assert [path for path in tmp_path.iterdir() if path.is_dir()] == []


async def test_nothing_is_left_behind(tmp_path: Path) -> None:
    await filled(tmp_path)
    await verdict(tmp_path)
    assert [path for path in tmp_path.iterdir() if path.is_dir()] == []


async def test_rows_of_another_version_are_refused(tmp_path: Path) -> None:
    await filled(tmp_path)
    changed(tmp_path / "views.db", "UPDATE models SET version=7 WHERE model='users'")
    with pytest.raises(CannotVerify, match="users were made by another version"):
        await verdict(tmp_path)


async def test_a_full_disk_is_said_before_anything_is_begun(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    await filled(tmp_path)
    monkeypatch.setattr(
        "runtime.embedded.verify.shutil.disk_usage", lambda path: type("Usage", (), {"free": Millis(4096)})
    )
    with pytest.raises(CannotVerify, match="verifying takes about"):
        await verdict(tmp_path)


@pytest.mark.slow
def test_it_runs_beside_a_server_that_goes_on_writing(tmp_path: Path) -> None:
    data = tmp_path / "data"
    with Serving(data) as server:
        alice, bob = server.join("alice"), server.join("bob")
        bob.follow(alice)
        for number in range(30):
            bob.after(alice).like(alice.post(f"tweet #tag{number % 3} number {number}"))
        found = answered("verify", "--data", data)
        assert found["same"]
        alice.post("still here")


@pytest.mark.slow
def test_a_difference_is_exit_code_1_and_is_in_the_table(tmp_path: Path) -> None:
    data = tmp_path / "data"
    with Serving(data) as server:
        server.join("alice").post("one")
    changed(data / "views.db", "DELETE FROM tweets_1")
    found = minitwitter("verify", "--data", data)
    assert found.returncode == 1
    line = next(line for line in found.stdout.splitlines() if line.split()[:3] == ["read", "model", "tweets"])
    assert "DIFFERENT" in line
