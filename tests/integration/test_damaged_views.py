"""views.db is a cache of the log: damaged, it is made anew, and the damaged file is kept aside."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import time

import apsw
import pytest

from tests.integration.running import ROOT, Serving, environment, minitwitter

IN_TIME_S = 60
TWEETS = 3000
ATTEMPTS = 5

pytestmark = pytest.mark.slow


def damaged(directory, how):
    path = directory / "views.db"
    for other in directory.glob("views.db-*"):
        other.unlink()
    whole = path.read_bytes()
    noise = whole[:100] + os.urandom(len(whole) - 100)
    path.write_bytes({"empty": b"", "cut short": whole[: len(whole) // 2], "random": noise}[how])


def damage_a_table(directory, model):
    connection = apsw.Connection(str(directory / "views.db"))
    connection.wal_checkpoint(mode=apsw.SQLITE_CHECKPOINT_TRUNCATE)
    root = connection.execute(
        "SELECT rootpage FROM sqlite_schema WHERE name LIKE ? AND type='table'", (f"{model}_%",)
    ).get
    connection.close()
    with (directory / "views.db").open("r+b") as file:
        file.seek(4096 * (root - 1))
        file.write(os.urandom(4096))


def shows(server, person, number):
    """Wait until a person's timeline has so many tweets."""
    deadline = time.monotonic() + IN_TIME_S
    while True:
        answer = server.http.get(f"/api/v1/users/{person}/tweets")
        if answer.status_code == 200 and len(answer.json()["items"]) == number:
            return
        assert time.monotonic() < deadline, (answer.text, server.log())
        time.sleep(0.1)


def until_ready(server):
    deadline = time.monotonic() + IN_TIME_S
    while server.http.get("/readyz").json()["state"] != "ready":
        assert time.monotonic() < deadline, server.http.get("/readyz").text
        time.sleep(0.1)


@pytest.mark.parametrize("how", ["empty", "cut short", "random"])
def test_it_is_made_anew_at_the_start(tmp_path, how):
    data = tmp_path / "data"
    with Serving(data) as server:
        server.join("alice").post("one")
        assert server.stop() == 0
    damaged(data, how)
    refused = minitwitter("verify", "--data", data)
    assert refused.returncode == 4
    assert "Traceback" not in refused.stderr
    assert "the next `minitwitter serve` makes" in refused.stderr
    with Serving(data) as server:
        shows(server, "alice", 1)
        assert how == "empty" or "views.db.damaged" in server.log()
        assert server.stop() == 0
    assert how == "empty" or (data / "views.db.damaged").exists()
    assert minitwitter("verify", "--data", data).returncode == 0


def test_damage_that_shows_while_it_runs_is_mended_while_it_runs(tmp_path):
    data = tmp_path / "data"
    with Serving(data) as server:
        alice = server.join("alice")
        for number in range(200):
            alice.post(f"number {number}")
        shows(server, "alice", 20)
        assert server.stop() == 0
    damage_a_table(data, "user_timelines")
    with Serving(data) as server:
        shows(server, "alice", 20)
        assert (data / "views.db.damaged").exists()
        until_ready(server)
        assert server.stop() == 0
    found = minitwitter("verify", "--data", data)
    assert found.returncode == 0, found.stdout + found.stderr


@pytest.mark.parametrize("how", ["removed", "replaced"])
def test_a_file_that_is_removed_or_replaced_under_the_server_is_made_anew(tmp_path, how):
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


def interrupted_verify(data):
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


def test_verify_ends_at_ctrl_c_and_leaves_nothing(tmp_path):
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
