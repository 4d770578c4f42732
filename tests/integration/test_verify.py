"""`minitwitter verify`: it agrees with what is right, and sees whatever is not."""

from __future__ import annotations

import apsw
import pytest

from events.ids import Millis
from runtime.verifying import CannotVerify, verify
from tests.integration.in_process import opened, populate
from tests.integration.running import Serving, answered, minitwitter


async def verdict(directory):
    return await verify(directory, None, lambda total: None, lambda done: None)


async def filled(directory):
    async with opened(directory) as (system, views):
        await populate(system)
        await views.project()


def changed(path, statement):
    connection = apsw.Connection(str(path))
    connection.execute(statement)
    assert connection.changes() > 0
    connection.close()


def differing(found):
    return [(one.kind, one.name) for one in found.findings if not one.same]


async def test_everything_derived_is_a_function_of_the_log(tmp_path):
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
async def test_one_changed_row_is_a_difference_with_a_name(tmp_path, file, statement, names):
    await filled(tmp_path)
    changed(tmp_path / file, statement)
    found = await verdict(tmp_path)
    assert not found.same
    assert differing(found) == names


async def test_views_behind_the_log_are_compared_where_they_stand(tmp_path):
    async with opened(tmp_path) as (system, views):
        await populate(system, seed=1)
        await views.project()
        await populate(system, seed=2, people=15)
    assert (await verdict(tmp_path)).same


async def test_nothing_is_left_behind(tmp_path):
    await filled(tmp_path)
    await verdict(tmp_path)
    assert [path for path in tmp_path.iterdir() if path.is_dir()] == []


async def test_a_data_directory_without_read_models_is_refused(tmp_path):
    await filled(tmp_path)
    (tmp_path / "views.db").unlink()
    with pytest.raises(CannotVerify, match="has no read models yet"):
        await verdict(tmp_path)


async def test_rows_of_another_version_are_refused(tmp_path):
    await filled(tmp_path)
    changed(tmp_path / "views.db", "UPDATE models SET version=7 WHERE model='users'")
    with pytest.raises(CannotVerify, match="users were made by another version"):
        await verdict(tmp_path)


async def test_a_full_disk_is_said_before_anything_is_begun(tmp_path, monkeypatch):
    await filled(tmp_path)
    monkeypatch.setattr("runtime.verifying.shutil.disk_usage", lambda path: type("Usage", (), {"free": Millis(4096)}))
    with pytest.raises(CannotVerify, match="verifying takes about"):
        await verdict(tmp_path)


@pytest.mark.slow
def test_it_runs_beside_a_server_that_goes_on_writing(tmp_path):
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
def test_a_difference_is_exit_code_1_and_is_in_the_table(tmp_path):
    data = tmp_path / "data"
    with Serving(data) as server:
        server.join("alice").post("one")
    changed(data / "views.db", "DELETE FROM tweets_1")
    found = minitwitter("verify", "--data", data)
    assert found.returncode == 1
    line = next(line for line in found.stdout.splitlines() if line.split()[:3] == ["read", "model", "tweets"])
    assert "DIFFERENT" in line
