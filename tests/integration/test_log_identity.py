"""Read models beside a log that is not theirs: from a backup, without its end, of another community, or gone."""

from __future__ import annotations

import shutil
from pathlib import Path

import apsw
import pytest

from events.fitting import DoesNotFit
from events.log import CorruptLog
from runtime.embedded.log_db import LogMissing
from runtime.embedded.log_identity import set_aside
from runtime.embedded.verify import verify
from runtime.verdict import Verdict
from tests.integration.in_process import opened, populate
from tests.integration.running import Serving, minitwitter

MENDS = "minitwitter rebuild --from-nothing"


async def filled(directory: Path, *, seed: int = 1, more: None = None) -> Path:
    async with opened(directory) as (system, views):
        await populate(system, seed=seed)
        await views.project()
    return directory


async def open_and_close(directory: Path) -> None:
    async with opened(directory):
        pass


def copied(directory: Path, to: Path, name: str = "log.db") -> Path:
    to.mkdir()
    for path in directory.glob(f"{name}*"):
        shutil.copy(path, to)
    return to


def put_back(backup: Path, directory: Path, name: str = "log.db") -> None:
    for path in directory.glob(f"{name}*"):
        path.unlink()
    for path in backup.glob(f"{name}*"):
        shutil.copy(path, directory)


def asked(path: Path, sql: str) -> str:
    connection = apsw.Connection(str(path))
    try:
        return str(connection.execute(sql).get)
    finally:
        connection.close()


async def verified(directory: Path) -> Verdict:
    return await verify(directory, None, lambda total: None, lambda done: None)


async def test_a_log_keeps_its_identity_and_its_views_remember_it(tmp_path: Path) -> None:
    await filled(tmp_path)
    first = asked(tmp_path / "log.db", "SELECT id FROM identity")
    assert len(first) == 32
    await open_and_close(tmp_path)
    assert asked(tmp_path / "log.db", "SELECT id FROM identity") == first
    assert asked(tmp_path / "views.db", "SELECT identity FROM log") == first


async def test_two_logs_have_two_identities(tmp_path: Path) -> None:
    for name in ("one", "two"):
        await open_and_close(tmp_path / name)
    one, two = (asked(tmp_path / name / "log.db", "SELECT id FROM identity") for name in ("one", "two"))
    assert one != two


async def test_a_log_from_before_is_called_by_its_oldest_event_and_so_is_its_backup(tmp_path: Path) -> None:
    await filled(tmp_path / "data")
    asked(tmp_path / "data" / "log.db", "DROP TABLE identity")
    connection = apsw.Connection(str(tmp_path / "data" / "views.db"))
    connection.execute("DROP TABLE log; ALTER TABLE positions DROP COLUMN last; PRAGMA user_version=1")
    connection.close()
    backup = copied(tmp_path / "data", tmp_path / "backup")
    async with opened(tmp_path / "data") as (system, views):
        await views.project()
        assert views.views.log_identity() == system.log_db.identity
    put_back(backup, tmp_path / "data")
    await open_and_close(tmp_path / "data")


async def test_an_older_log_beside_newer_views_is_refused_and_nothing_is_changed(tmp_path: Path) -> None:
    data = await filled(tmp_path / "data")
    backup = copied(data, tmp_path / "backup")
    async with opened(data) as (system, views):
        await populate(system, seed=2, people=5)
        await views.project()
    put_back(backup, data)
    before = (data / "views.db").read_bytes()
    with pytest.raises(DoesNotFit, match=rf"ends at \d+ in the log, and was read up to \d+.*{MENDS} --data"):
        await open_and_close(data)
    with pytest.raises(DoesNotFit, match=MENDS):
        await verified(data)
    assert (data / "views.db").read_bytes() == before


async def test_a_log_that_went_on_otherwise_after_a_backup_is_refused(tmp_path: Path) -> None:
    data = await filled(tmp_path / "data")
    backup = copied(data, tmp_path / "backup")
    async with opened(data) as (system, views):
        await populate(system, seed=2, people=5)
        await views.project()
    put_back(backup, data)
    newer = copied(data, tmp_path / "newer", "views.db")
    set_aside(data)
    async with opened(data) as (system, views):
        await populate(system, seed=3, people=30, tweets=300)
        await views.project()
    put_back(newer, data, "views.db")
    with pytest.raises(DoesNotFit, match=r"is event .* in the log, and was"):
        await open_and_close(data)


async def test_the_log_of_another_community_is_refused(tmp_path: Path) -> None:
    data, other = await filled(tmp_path / "data"), await filled(tmp_path / "other", seed=2)
    put_back(copied(other, tmp_path / "backup"), data)
    shutil.copy(other / "master.key", data)
    with pytest.raises(DoesNotFit, match="is made from log"):
        await open_and_close(data)


async def test_a_log_without_its_wal_is_refused(tmp_path: Path) -> None:
    data = tmp_path / "data"
    async with opened(data) as (system, views):
        await populate(system)
        system.log_db.connection.wal_checkpoint(mode=apsw.SQLITE_CHECKPOINT_TRUNCATE)
        await populate(system, seed=2, people=5)
        await views.project()
        kept = (data / "log.db").read_bytes()
    (data / "log.db").write_bytes(kept)
    with pytest.raises((DoesNotFit, CorruptLog)):
        await open_and_close(data)


@pytest.mark.parametrize("empty", [False, True])
@pytest.mark.parametrize("beside", ["views.db", "master.key"])
async def test_no_empty_log_is_made_beside_what_a_log_left(tmp_path: Path, beside: str, empty: bool) -> None:
    await filled(tmp_path)
    for path in tmp_path.iterdir():
        if path.is_file() and path.name != beside:
            path.unlink()
    if empty:
        (tmp_path / "log.db").touch()
    with pytest.raises(LogMissing, match=rf"log.db is (missing|empty), and beside it there is {beside}"):
        await open_and_close(tmp_path)
    with pytest.raises(LogMissing):
        await verified(tmp_path)


async def test_a_first_start_that_broke_off_is_made_again(tmp_path: Path) -> None:
    await open_and_close(tmp_path)
    for path in tmp_path.glob("views.db*"):
        path.unlink()
    for path in tmp_path.glob("log.db*"):
        path.unlink()
    connection = apsw.Connection(str(tmp_path / "log.db"))
    connection.execute("PRAGMA journal_mode=WAL")
    connection.close()
    await filled(tmp_path)


async def test_views_that_are_behind_fit(tmp_path: Path) -> None:
    async with opened(tmp_path) as (system, views):
        await populate(system)
        await views.turn()
        await populate(system, seed=2, people=5)
    await open_and_close(tmp_path)


@pytest.mark.slow
def test_from_nothing_makes_the_read_models_of_the_log_that_is_there(tmp_path: Path) -> None:
    data = tmp_path / "data"
    with Serving(data) as server:
        server.join("alice").post("kept")
        assert server.stop() == 0
    backup = copied(data, tmp_path / "backup")
    with Serving(data) as server:
        server.join("bob").post("lost with the newer log")
        assert minitwitter("rebuild", "--from-nothing", "--data", data).returncode == 3
        assert server.stop() == 0
    put_back(backup, data)
    for words in (("serve",), ("verify",), ("import", "tweets", "tests/integration/running.py")):
        refused = minitwitter(*words, "--data", data)
        assert refused.returncode == 4, refused.stderr
        assert MENDS in refused.stderr
        assert "Traceback" not in refused.stderr
    made = minitwitter("rebuild", "--from-nothing", "--data", data)
    assert made.returncode == 0, made.stderr
    [aside] = data.glob("views-*")  # no WAL beside it
    assert str(aside) in made.stdout
    found = minitwitter("verify", "--data", data)
    assert found.returncode == 0, found.stdout + found.stderr
    with Serving(data) as server:
        assert server.http.get("/api/v1/users/alice").status_code == 200
        assert server.http.get("/api/v1/users/bob").status_code == 404
