"""A damaged views.db is rebuilt from the log, and the damaged file is kept."""

from __future__ import annotations

import asyncio
import os
import random
import shutil
import signal
import subprocess
import sys
import time
from collections.abc import Callable
from pathlib import Path

import apsw
import msgspec
import pytest

from events.sqlite.checkpoints import PAGE_BYTES
from runtime.embedded import projector_process as projecting
from runtime.embedded.dead_letters import letters_in
from runtime.embedded.models import ALL_TABLES
from runtime.embedded.projector_process import Report
from runtime.embedded.status import of_files
from runtime.embedded.verify import verify
from runtime.verdict import Verdict
from stores.sqlite.damage import ViewsDamaged
from stores.sqlite.views import Views
from tests.integration.in_process import NOW, opened, populate
from tests.integration.running import ROOT, Serving, environment, minitwitter

IN_TIME_S = 60
TWEETS = 3000
ATTEMPTS = 5

TABLES = ("positions", "topics", "dead_letters", "models", "newest", "records", "tweets_1", "search_index_1_data")
SCHEMA = "sqlite_schema"

Run = Callable[[], tuple[list[Report], str | int | None]]

slow = pytest.mark.slow


def damaged(directory: Path, how: str) -> None:
    path = directory / "views.db"
    for other in directory.glob("views.db-*"):
        other.unlink()
    whole = path.read_bytes()
    noise = whole[:100] + os.urandom(len(whole) - 100)
    path.write_bytes({"empty": b"", "cut short": whole[: len(whole) // 2], "random": noise}[how])


def root_page(directory: Path, table: str) -> int:
    connection = apsw.Connection(str(directory / "views.db"))
    connection.wal_checkpoint(mode=apsw.SQLITE_CHECKPOINT_TRUNCATE)
    rows = connection.execute("SELECT rootpage FROM sqlite_schema WHERE name LIKE ? AND type='table'", (table,))
    root: int = rows.get
    connection.close()
    return root


def damage_page(directory: Path, page: int, seed: int = 1) -> None:
    """Write noise over a page; of the first one the header is left."""
    with (directory / "views.db").open("r+b") as file:
        kept = 100 if page == 1 else 0
        file.seek(PAGE_BYTES * (page - 1) + kept)
        file.write(random.Random(seed).randbytes(PAGE_BYTES - kept))


def damage_a_table(directory: Path, table: str) -> None:
    damage_page(directory, 1 if table == SCHEMA else root_page(directory, table))


@pytest.fixture(scope="module")
def filled(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Read models of a small community, with nothing in the WAL."""
    directory = tmp_path_factory.mktemp("filled")

    async def fill() -> None:
        async with opened(directory, partitions=1) as (system, views):
            await populate(system, people=4, tweets=12)
            await views.project()

    asyncio.run(fill())
    root_page(directory, "positions")
    return directory


@pytest.fixture
def data(filled: Path, tmp_path: Path) -> Path:
    return shutil.copytree(filled, tmp_path / "data")


@pytest.fixture
def unseen(monkeypatch: pytest.MonkeyPatch) -> None:
    """Skip the check at opening, as for a file that is too large to be checked."""
    monkeypatch.setattr(Views, "look", lambda self, seconds: None)


async def verdict(directory: Path) -> Verdict:
    return await verify(directory, None, lambda total: None, lambda done: None)


@pytest.fixture
def process(data: Path, monkeypatch: pytest.MonkeyPatch, capsysbinary: pytest.CaptureFixture[bytes]) -> Run:
    """Run the projecting process in this one until all is applied; what it reported, and its exit code."""
    options = ["--serving-batch", "100", "--turn-ms", "5", "--wal-mib", "4"]
    argv = ["projecting", "--data", str(data), "--master-key", str(data / "master.key"), *options]
    monkeypatch.setattr(sys, "argv", argv)
    monkeypatch.setattr(signal, "signal", lambda number, handler: None)

    def run() -> tuple[list[Report], str | int | None]:
        code: str | int | None = 0
        with Path(os.devnull).open() as nothing, monkeypatch.context() as patched:
            patched.setattr(sys, "stdin", nothing)
            try:
                projecting.main()
            except SystemExit as end:
                code = end.code
        reports = capsysbinary.readouterr().out.splitlines()
        return [msgspec.json.decode(line, type=projecting.Report) for line in reports], code

    return run


def check_made_anew(data: Path, process: Run) -> None:
    damaged_file = (data / "views.db").read_bytes()
    reports, _ = process()
    [why] = [report.remade for report in reports if report.remade]
    assert "views.db is damaged" in why
    assert "views.db.damaged" in why
    assert len((data / "views.db.damaged").read_bytes()) == len(damaged_file)
    assert not (data / "views.db").exists()
    reports, code = process()
    assert code == 0
    assert any(report.ready for report in reports)
    assert not any(report.remade or report.fatal for report in reports)
    assert asyncio.run(verdict(data)).same


@pytest.mark.parametrize("table", [*TABLES, SCHEMA])
def test_a_damaged_page_is_seen_when_the_file_is_opened_and_it_is_made_anew(
    data: Path, process: Run, table: str
) -> None:
    damage_a_table(data, table)
    for asked in (letters_in, verdict):
        with pytest.raises(ViewsDamaged, match="the next `minitwitter serve` makes it anew"):
            asyncio.run(asked(data))
    check_made_anew(data, process)


@pytest.mark.usefixtures("unseen")
@pytest.mark.parametrize("table", ["positions", "topics", "dead_letters", "models", "log"])
def test_a_damaged_page_that_shows_when_it_is_read_has_the_file_made_anew(data: Path, process: Run, table: str) -> None:
    damage_a_table(data, table)
    with pytest.raises(ViewsDamaged, match="the next `minitwitter serve` makes it anew"):
        asyncio.run(verdict(data))
    check_made_anew(data, process)


def test_readers_report_damage_of_any_page(data: Path) -> None:
    whole = (data / "views.db").read_bytes()
    for page in range(1, len(whole) // PAGE_BYTES + 1):
        damage_page(data, page, seed=page)
        with pytest.raises(ViewsDamaged, match="the next `minitwitter serve` makes it anew") as told:
            asyncio.run(letters_in(data))
        found = asyncio.run(of_files(data, lambda: NOW))
        assert [part.detail for part in found.parts if part.name == "read models"] == [str(told.value)]
        (data / "views.db").write_bytes(whole)


@pytest.mark.usefixtures("unseen")
def test_damage_of_any_page_reaches_readers_as_one_error(data: Path) -> None:
    whole = (data / "views.db").read_bytes()
    seen = 0
    for page in range(1, len(whole) // PAGE_BYTES + 1):
        damage_page(data, page, seed=page)
        views = None
        try:
            views = Views.beside(data, ALL_TABLES)
            views.marks()
            for model in views.models:
                views.digest(model)
        except ViewsDamaged:
            seen += 1
        finally:
            if views is not None:
                views.connection.close()
        (data / "views.db").write_bytes(whole)
    assert seen > len(whole) // PAGE_BYTES // 2


def shows(server: Serving, person: str, number: int) -> None:
    """Wait until a person's timeline has so many tweets."""
    deadline = time.monotonic() + IN_TIME_S
    while True:
        answer = server.http.get(f"/api/v1/users/{person}/tweets")
        if answer.status_code == 200 and len(answer.json()["items"]) == number:
            return
        assert time.monotonic() < deadline, (answer.text, server.log())
        time.sleep(0.1)


def until_ready(server: Serving) -> None:
    deadline = time.monotonic() + IN_TIME_S
    while server.http.get("/readyz").json()["state"] != "ready":
        assert time.monotonic() < deadline, server.http.get("/readyz").text
        time.sleep(0.1)


@slow
@pytest.mark.parametrize("how", ["empty", "cut short", "random"])
def test_it_is_made_anew_at_the_start(tmp_path: Path, how: str) -> None:
    data = tmp_path / "data"
    with Serving(data) as server:
        server.join("alice").post("one")
        assert server.stop() == 0
    damaged(data, how)
    refused = minitwitter("verify", "--data", data)
    assert refused.returncode == 4
    assert "Traceback" not in refused.stderr
    command = f"minitwitter serve --data {data}" if how == "empty" else "minitwitter serve"
    assert f"the next `{command}` makes" in refused.stderr
    with Serving(data) as server:
        shows(server, "alice", 1)
        assert how == "empty" or "views.db.damaged" in server.log()
        assert server.stop() == 0
    assert how == "empty" or (data / "views.db.damaged").exists()
    assert minitwitter("verify", "--data", data).returncode == 0


@slow
def test_damage_found_at_run_time_is_repaired_without_a_restart(tmp_path: Path) -> None:
    data = tmp_path / "data"
    with Serving(data) as server:
        alice = server.join("alice")
        for number in range(200):
            alice.post(f"number {number}")
        shows(server, "alice", 20)
        assert server.stop() == 0
    with Serving(data) as server:
        damage_a_table(data, "user_timelines_%")
        shows(server, "alice", 20)
        assert (data / "views.db.damaged").exists()
        until_ready(server)
        assert server.stop() == 0
    found = minitwitter("verify", "--data", data)
    assert found.returncode == 0, found.stdout + found.stderr


@slow
def test_an_import_makes_them_anew_and_goes_on(data: Path, tmp_path: Path) -> None:
    damage_a_table(data, "topics")
    refused = minitwitter("verify", "--data", data)
    assert (refused.returncode, refused.stderr.count("\n")) == (4, 1)
    assert "the next `minitwitter serve` makes" in refused.stderr
    (tmp_path / "tweets.csv").write_text("tweet_id,created_at,username,text\n1,2015-02-17T07:36:05Z,someone,hello\n")
    imported = minitwitter("import", "tweets", tmp_path / "tweets.csv", "--data", data)
    assert imported.returncode == 0, imported.stderr
    assert imported.stderr.count("views.db is damaged") == 1
    assert "Traceback" not in imported.stderr
    assert minitwitter("verify", "--data", data).returncode == 0


@slow
@pytest.mark.parametrize("how", ["removed", "replaced"])
def test_a_file_that_is_removed_or_replaced_under_the_server_is_made_anew(tmp_path: Path, how: str) -> None:
    data = tmp_path / "data"
    with Serving(data) as server:
        alice = server.join("alice")
        alice.post("one")
        shows(server, "alice", 1)
        for file in data.glob("views.db*"):
            file.unlink()
        if how == "replaced":
            (data / "views.db").write_bytes(b"of somebody else")
        deadline = time.monotonic() + IN_TIME_S
        while f"views.db was {how} under the server" not in server.log():
            assert time.monotonic() < deadline, server.log()
            time.sleep(0.05)
        until_ready(server)
        alice.post("two")
        shows(server, "alice", 2)
        until_ready(server)
        verified = minitwitter("verify", "--data", data)
        assert verified.returncode == 0, verified.stdout + verified.stderr
        assert server.stop() == 0
    assert [file.read_bytes() for file in data.glob("views-*.db")] == [b"of somebody else"] * (how == "replaced")


def interrupted_verify(data: Path) -> tuple[int, str]:
    """Verify, with Ctrl-C once it is at work: how it ended, and what it said."""
    command = [sys.executable, "-m", "runtime.cli", "verify", "--data", str(data)]
    verifying = subprocess.Popen(command, env=environment(), cwd=ROOT, stderr=subprocess.PIPE, text=True)
    deadline = time.monotonic() + IN_TIME_S
    while not list(data.glob("verify-*")) and verifying.poll() is None:
        assert time.monotonic() < deadline
        time.sleep(0.001)
    verifying.send_signal(signal.SIGINT)
    said = verifying.communicate(timeout=IN_TIME_S)[1]
    return verifying.returncode, said


@slow
def test_verify_ends_at_ctrl_c_and_leaves_nothing(tmp_path: Path) -> None:
    data = tmp_path / "data"
    rows = "".join(f"{n},2015-02-17T07:36:05Z,user{n % 50},number {n}\n" for n in range(1, TWEETS + 1))
    (tmp_path / "tweets.csv").write_text(f"tweet_id,created_at,username,text\n{rows}")
    with Serving(data) as server:
        imported = minitwitter("import", "tweets", tmp_path / "tweets.csv", "--data", data)
        assert imported.returncode == 0, imported.stderr
        assert server.stop() == 0
    status, said = 0, ""
    for _ in range(ATTEMPTS):  # what is done by then ends as ever
        status, said = interrupted_verify(data)
        assert list(data.glob("verify-*")) == []
        if status:
            break
    assert (status, said) == (130, "minitwitter: stopped; there is no verdict, and nothing was changed\n")
