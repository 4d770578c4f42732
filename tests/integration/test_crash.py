"""Repeated kills under load: acknowledged writes exist once afterwards, and no read model is half applied.

A server and the process that advances its views are killed with SIGKILL while people write. A ledger has every write
that was answered with a 2xx; a write that got no answer is sent again after the restart, as a client does, and then
what the server shows has to be the ledger exactly: nothing is missing, and nothing is there twice.
"""

from __future__ import annotations

import itertools
import os
import random
import signal
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import httpx
import pytest

from tests.campaigns import form
from tests.integration.running import Serving, minitwitter

pytestmark = pytest.mark.slow

ROUNDS = form(5, 20)
"""In each round, the projecting process and the server are killed once."""
NAMES = ("ada", "bob", "cyd", "dan")
IN_TIME_S = 30


class Ledger:
    """The acknowledged tweets of all writers, to like and to compare."""

    def __init__(self) -> None:
        self._changed = threading.Condition()
        self._acknowledged = 0
        self._failures: list[BaseException] = []
        self.live: list[str] = []

    def acknowledged(self) -> None:
        with self._changed:
            self._acknowledged += 1
            self._changed.notify_all()

    def failed(self, error: BaseException) -> None:
        with self._changed:
            self._failures.append(error)
            self._changed.notify_all()

    def check(self) -> None:
        """Raise the error of a writer, if there is one."""
        for error in self._failures:
            raise error

    def wait_for(self, more: int) -> None:
        """Wait until so many more writes are acknowledged."""
        with self._changed:
            wanted = self._acknowledged + more
            came = self._changed.wait_for(lambda: self._failures or self._acknowledged >= wanted, IN_TIME_S)
        self.check()
        assert came


class Writer:
    """A writer that records its acknowledged writes."""

    def __init__(self, name: str, token: str, ledger: Ledger, seed: int) -> None:
        self.name = name
        self.headers = {"Authorization": f"Bearer {token}"}
        self.ledger = ledger
        self.random = random.Random(seed)
        self.numbers = itertools.count()
        self.tweets: dict[str, str] = {}
        self.deleted: set[str] = set()
        self.likes: dict[str, bool] = {}
        self.follows: dict[str, bool] = {}
        self.token = ""
        self.pending: dict[str, Any] | None = None

    def write(self, url: str, stop: threading.Event) -> None:
        """Write until stopped or until the server is gone. First retry the write that got no answer."""
        try:
            with httpx.Client(base_url=f"{url}/api/v1", timeout=IN_TIME_S) as http:
                while self.pending is not None or not stop.is_set():
                    if self.pending is None:
                        self.pending = self._next()
                    self._send(http, self.pending)
                    self.pending = None
        except httpx.TransportError:
            pass
        except BaseException as error:
            self.ledger.failed(error)

    def _next(self) -> dict[str, Any]:
        chance = self.random.random()
        number = next(self.numbers)
        mine = [tweet for tweet in self.tweets if tweet not in self.deleted]
        if chance < 0.1 and mine:
            text = f"{self.name} {number}, edited"
            return {"method": "PATCH", "url": f"/tweets/{self.random.choice(mine)}", "json": {"text": text}}
        if chance < 0.15 and mine:
            return {"method": "DELETE", "url": f"/tweets/{self.random.choice(mine)}"}
        if chance < 0.45 and self.ledger.live:
            method = self.random.choice(("POST", "POST", "DELETE"))
            return {"method": method, "url": f"/tweets/{self.random.choice(self.ledger.live)}/like"}
        if chance < 0.55:
            other = self.random.choice([name for name in NAMES if name != self.name])
            return {"method": self.random.choice(("POST", "DELETE")), "url": f"/users/{other}/follow"}
        key = {"Idempotency-Key": f"{self.name} {number}"}
        return {"method": "POST", "url": "/tweets", "json": {"text": f"{self.name} {number}"}, "headers": key}

    def _send(self, http: httpx.Client, request: dict[str, Any]) -> None:
        answer = http.request(**request | {"headers": self.headers | request.get("headers", {})})
        again = answer.status_code == 410 and request["method"] == "DELETE"
        if answer.status_code in (404, 410) and not again:  # somebody else's tweet, deleted meanwhile
            return
        assert answer.is_success or again, (request, answer.text)
        if answer.is_success:
            self.token = answer.headers["Consistency-Token"]
        self._note(request, answer)
        self.ledger.acknowledged()

    def _note(self, request: dict[str, Any], answer: httpx.Response) -> None:
        what, _, target = request["url"].strip("/").partition("/")
        target, _, rest = target.partition("/")
        if what == "users":
            self.follows[target] = request["method"] == "POST"
        elif rest == "like":
            if answer.is_success:
                self.likes[target] = request["method"] == "POST"
        elif request["method"] == "POST":
            self.tweets[answer.json()["id"]] = request["json"]["text"]
            self.ledger.live.append(answer.json()["id"])
        elif request["method"] == "PATCH":
            self.tweets[target] = request["json"]["text"]
        else:
            self.deleted.add(target)


@contextmanager
def writing(server: Serving, writers: list[Writer]) -> Iterator[None]:
    """Run all writers during the block. At its end every write is answered, or the server is gone."""
    stop = threading.Event()
    threads = [threading.Thread(target=writer.write, args=(server.url, stop)) for writer in writers]
    for thread in threads:
        thread.start()
    try:
        yield
    finally:
        stop.set()
        for thread in threads:
            thread.join(IN_TIME_S)
    writers[0].ledger.check()


def current(server: Serving, writers: list[Writer]) -> None:
    """Wait until the views have applied everything that was acknowledged."""
    tokens = ",".join(writer.token for writer in writers if writer.token)
    deadline = time.monotonic() + IN_TIME_S
    while "Consistency" in server.http.get("/api/v1/public", headers={"Consistency-Token": tokens}).headers:
        assert time.monotonic() < deadline, server.log()


def items(server: Serving, path: str, headers: dict[str, str]) -> list[dict[str, Any]]:
    """Read a whole list."""
    found: list[dict[str, Any]] = []
    cursor = ""
    while True:
        page = server.get(f"{path}limit=100{cursor}", headers=headers)
        found += page["items"]
        if page["next_cursor"] is None:
            return found
        cursor = f"&cursor={page['next_cursor']}"


def compare(server: Serving, writers: list[Writer]) -> None:
    """Compare the served data with the acknowledged writes."""
    current(server, writers)
    deleted = set().union(*(writer.deleted for writer in writers))
    for writer in writers:
        kept = {tweet: text for tweet, text in writer.tweets.items() if tweet not in deleted}
        timeline = items(server, f"/users/{writer.name}/tweets?", writer.headers)
        shown = {item["tweet"]["id"]: item["tweet"] for item in timeline}
        assert len(timeline) == len(shown)
        assert {tweet: one["text"] for tweet, one in shown.items()} == kept
        likers = [other.name for other in writers]
        for tweet, one in shown.items():
            by = [other for other in writers if other.likes.get(tweet)]
            assert one["counts"]["likes"] == len(by), (tweet, likers)
            assert one["viewer"]["liked"] == writer.likes.get(tweet, False)
        for tweet in writer.deleted:
            assert server.http.get(f"/api/v1/tweets/{tweet}", headers=writer.headers).status_code == 410
        followed = {name for name, follows in writer.follows.items() if follows}
        following = items(server, f"/users/{writer.name}/following?", writer.headers)
        assert {user["username"] for user in following} == followed
        profile = server.get("/users/me", headers=writer.headers)
        assert (profile["tweets_count"], profile["following_count"]) == (len(kept), len(followed))


def test_acknowledged_writes_survive_kills_and_exist_once(tmp_path: Path) -> None:
    chance = random.Random(20)
    ledger = Ledger()
    data = tmp_path / "data"
    with Serving(data) as server:
        tokens = {name: server.join(name).headers["Authorization"].removeprefix("Bearer ") for name in NAMES}
        server.stop()
    writers = [Writer(name, tokens[name], ledger, seed) for seed, name in enumerate(NAMES)]
    for _ in range(ROUNDS):
        with Serving(data) as server:
            with writing(server, writers):
                ledger.wait_for(chance.randint(20, 120))
                os.kill(server.projecting(), signal.SIGKILL)
                ledger.wait_for(chance.randint(20, 60))
            compare(server, writers)
            with writing(server, writers):
                ledger.wait_for(chance.randint(20, 120))
                server.kill()
    with Serving(data) as server:
        with writing(server, writers):
            ledger.wait_for(1)
        compare(server, writers)
        assert sum(len(writer.tweets) for writer in writers) > 15 * ROUNDS
    verified = minitwitter("verify", "--data", data)
    assert verified.returncode == 0, verified.stdout + verified.stderr
