"""A disk that is full, or refuses to be written: writes are 503, reads go on, nothing acknowledged is lost, and when
the disk takes writes again everything works again by itself.
"""

from __future__ import annotations

import errno
import os
import subprocess
import time
from collections.abc import Iterator
from contextlib import contextmanager
from io import RawIOBase
from pathlib import Path
from typing import Any

import httpx
import pytest

from tests.integration.running import Person, Serving, minitwitter

IN_TIME_S = 30

pytestmark = pytest.mark.slow


def cannot(reason: str) -> None:
    """Skip the test, but not where everything has to be tested."""
    if os.environ.get("CI") == "true":
        pytest.fail(reason)
    pytest.skip(reason)


@pytest.fixture(autouse=True)
def _root() -> None:
    if os.geteuid() != 0:
        cannot("mounting a small disk and making files immutable needs root")


def command(*arguments: object) -> None:
    done = subprocess.run([str(argument) for argument in arguments], capture_output=True, text=True, check=False)
    assert done.returncode == 0, (arguments, done.stderr)


@pytest.fixture
def small_disk(tmp_path: Path) -> Iterator[Path]:
    """A directory on a disk of 24 MB."""
    directory = tmp_path / "disk"
    directory.mkdir()
    command("mount", "-t", "tmpfs", "-o", "size=24m", "tmpfs", directory)
    try:
        yield directory
    finally:
        command("umount", directory)


def fits(file: RawIOBase, size: int) -> bool:
    try:
        file.write(bytes(size))
    except OSError as error:
        if error.errno != errno.ENOSPC:
            raise
        return False
    return True


def fill(disk: Path) -> Path:
    """Fill a disk to its last page; return the file."""
    filler = disk / "filler"
    with filler.open("wb", buffering=0) as file:
        for size in (1 << 20, 4096):
            while fits(file, size):
                pass
    return filler


@contextmanager
def immutable(*files: Path) -> Iterator[None]:
    """Make files immutable: not even root or a process that has them open can write."""
    command("chattr", "+i", *files)
    try:
        yield
    finally:
        command("chattr", "-i", *files)


@pytest.fixture
def data(tmp_path: Path) -> Path:
    """A path for a data directory on a file system with immutable files."""
    probe = tmp_path / "probe"
    with probe.open("wb", buffering=0) as file:
        done = subprocess.run(["chattr", "+i", str(probe)], capture_output=True, text=True, check=False)
        try:
            if done.returncode != 0:
                cannot(f"there are no immutable files on {tmp_path}: {done.stderr}")
            file.write(b"x")
            cannot(f"immutable files on {tmp_path} can be written by those who have them open")
        except OSError:
            pass
        finally:
            subprocess.run(["chattr", "-i", str(probe)], check=False)
    return tmp_path / "data"


class Posting:
    """A writer that records its acknowledged tweets."""

    def __init__(self, server: Serving, person: Person) -> None:
        self._server = server
        self._person = person
        self.acknowledged: list[str] = []

    def post(self, text: str) -> httpx.Response:
        answer = self._server.http.post("/api/v1/tweets", json={"text": text}, headers=self._person.headers)
        if answer.status_code == 201:
            self.acknowledged.append(text)
            self._person.headers["Consistency-Token"] = answer.headers["Consistency-Token"]
        else:
            assert answer.status_code == 503, answer.text
            assert answer.headers["content-type"] == "application/problem+json"
            assert answer.json()["type"] == "/problems/unavailable"
            assert int(answer.headers["retry-after"]) > 0
        return answer

    def post_until(self, status: int, text: str, most: int) -> None:
        """Post until the answer has this status."""
        for number in range(most):
            if self.post(f"{text} {number}").status_code == status:
                return
        raise AssertionError(f"no {status} in {most} posts: {self._server.log()}")

    def shown(self, timeline: dict[str, Any]) -> list[str]:
        return [item["tweet"]["text"] for item in timeline["items"]][::-1]


def read(server: Serving, person: Person) -> httpx.Response:
    path = f"/api/v1/users/{person.name}/tweets?limit=100"
    answer = server.http.get(path, headers=person.headers)
    assert answer.status_code == 200, answer.text
    return answer


def recovered(server: Serving, person: Person) -> httpx.Response:
    """Wait until the server is ready and the timeline has all acknowledged tweets; return the timeline."""
    deadline = time.monotonic() + IN_TIME_S
    while True:
        answer = read(server, person)
        ready = server.http.get("/readyz")
        if "consistency" not in answer.headers and ready.json()["state"] == "ready":
            return answer
        assert time.monotonic() < deadline, (ready.text, server.log())


def verify(data: Path) -> None:
    verified = minitwitter("verify", "--data", data)
    assert verified.returncode == 0, verified.stdout + verified.stderr


def test_a_full_disk_refuses_writes_loses_nothing_and_is_forgotten_when_there_is_room(small_disk: Path) -> None:
    data = small_disk / "data"
    with Serving(data) as server:
        ada = server.join("ada")
        posting = Posting(server, ada)
        for number in range(20):
            assert posting.post(f"before {number}").status_code == 201
        recovered(server, ada)
        filler = fill(small_disk)
        posting.post_until(503, "while it fills", 50)
        for _ in range(5):
            posting.post("while it is full")
        during = read(server, ada)
        assert set(posting.shown(during.json())) >= {f"before {number}" for number in range(20)}
        assert server.http.get("/healthz").status_code == 200
        unready = server.http.get("/readyz")
        assert unready.status_code == 503
        assert any(part["name"] == "log" and "free" in part["detail"] for part in unready.json()["parts"])
        filler.unlink()
        posting.post_until(201, "after", 50)
        after = recovered(server, ada)
        assert posting.shown(after.json()) == posting.acknowledged
        assert server.stop() == 0
    verify(data)


def test_a_log_that_is_read_only_refuses_writes_and_takes_them_again_when_it_is_not(data: Path) -> None:
    with Serving(data) as server:
        ada = server.join("ada")
        posting = Posting(server, ada)
        assert posting.post("before").status_code == 201
        with immutable(data / "log.db", data / "log.db-wal"):
            for number in range(5):
                assert posting.post(f"refused {number}").status_code == 503
            login = {"login": "ada", "password": "a password for tests"}
            assert server.http.post("/api/v1/auth/login", json=login).status_code == 503
            assert posting.shown(recovered(server, ada).json()) == ["before"]
        posting.post_until(201, "after", 50)
        assert posting.shown(recovered(server, ada).json()) == posting.acknowledged
        assert len(posting.acknowledged) == 2
        assert server.stop() == 0
    verify(data)


def test_views_that_cannot_be_written_make_reads_stale_and_catch_up_by_themselves(data: Path) -> None:
    with Serving(data) as server:
        ada = server.join("ada")
        posting = Posting(server, ada)
        assert posting.post("before").status_code == 201
        recovered(server, ada)
        with immutable(data / "views.db", data / "views.db-wal"):
            for number in range(5):
                assert posting.post(f"meanwhile {number}").status_code == 201
            stale = read(server, ada)
            assert stale.headers["consistency"] == "stale"
            assert posting.shown(stale.json()) == ["before"]
            unready = server.http.get("/readyz").json()
            assert [part["name"] for part in unready["parts"] if part["state"] != "ready"] == ["read models"]
        assert posting.shown(recovered(server, ada).json()) == posting.acknowledged
        assert "minitwitter_projecting_restarts_total 0.0" in server.http.get("/metrics").text
        assert server.stop() == 0
    verify(data)


def test_commands_on_a_full_disk_say_so_in_a_line_and_harm_nothing(small_disk: Path, tmp_path: Path) -> None:
    data = small_disk / "data"
    tweets = tmp_path / "tweets.csv"
    tweets.write_text(
        "tweet_id,created_at,username,text\n1,2015-02-20T08:02:11Z,hal,one\n2,2015-02-20T08:02:12Z,jo,two\n"
    )
    with Serving(data) as server:
        ada = server.join("ada")
        posting = Posting(server, ada)
        for number in range(20):
            posting.post(f"before {number}")
        recovered(server, ada)
        filler = fill(small_disk)
        commands: tuple[tuple[object, ...], ...] = (
            ("rebuild", "--all"),
            ("import", "tweets", tweets),
            ("keys", "rotate-master"),
        )
        for words in commands:
            refused = minitwitter(*words, "--data", data)
            assert (refused.returncode, refused.stderr.count("\n")) == (5, 1), (words, refused.stderr, refused.stdout)
        assert "minitwitter_projecting_restarts_total 0.0" in server.http.get("/metrics").text
        filler.unlink()
        assert server.stop() == 0
    fill(small_disk)
    for words in (*commands, ("serve",), ("rebuild", "tweets")):
        refused = minitwitter(*words, "--data", data)
        assert (refused.returncode, refused.stderr.count("\n")) == (5, 1), (words, refused.stderr, refused.stdout)
    filler.unlink()
    with Serving(data) as server:
        recovered(server, ada := server.sign_in("ada"))
        assert server.stop() == 0
    verify(data)
