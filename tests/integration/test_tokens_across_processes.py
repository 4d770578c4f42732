"""Consistency-Tokens across processes: a write on one API process, a read on another.

Every read sees its write or says that it is stale: tweets, likes, follows and deletions, writes that changed nothing,
and writes that Kafka did not take at once and whose tokens name rows of the outbox. `make campaigns` does it with 1,000
writes, the suite with fewer.
"""

import os
import random
import signal
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager
from pathlib import Path
from typing import Any

import httpx
import pytest

from infra.local.kafka import Kafka
from infra.local.running import Note, Running
from tests.campaigns import form
from tests.integration.installation import SOON, Installation, installed, post, ready, register

pytestmark = [pytest.mark.engines, pytest.mark.slow]

WRITERS = 5
WRITES = form(40, 200)
"""Writes of each writer. They take 15 s, a third of which the broker is frozen."""


@pytest.fixture
def broker(running: Running) -> Note:
    """A Kafka for this test alone, which can be frozen."""
    return running.up(Kafka())


@pytest.fixture
def installation(tmp_path: Path, broker: Note, postgres: str, cassandra: str, redis: str) -> Iterator[Installation]:
    limits = ("TWEETS_A_DAY", "TWEETS_A_SECOND", "TWEETS_BURST", "FOLLOWS_A_DAY")
    raised = {f"MINITWITTER_RATE_LIMITS__{limit}": "10000" for limit in limits}
    with installed(tmp_path, broker.url, postgres, cassandra, redis, Installation, **raised) as made:
        yield made


class Writer:
    """A client that writes through any command process and reads each write through a query process."""

    def __init__(self, number: int, commands: list[str], queries: list[str]) -> None:
        self._commands = [httpx.Client(base_url=url, timeout=SOON) for url in commands]
        self._queries = [httpx.Client(base_url=url, timeout=SOON) for url in queries]
        self._chance = random.Random(number)
        self.name = f"writer_{number}"
        self.bearer = register(self._commands[0], self.name)
        self.seen = self.stale = self.in_outbox = 0
        self.missed: list[tuple[object, ...]] = []
        self._tweets: list[str] = []
        self._written: list[str] = []

    @property
    def reads(self) -> int:
        return self.seen + self.stale + len(self.missed)

    def close(self) -> None:
        for client in self._commands + self._queries:
            client.close()

    def write(self, target: str) -> None:
        """Make one write, and the read that has to see it."""
        kind = self._chance.random()
        if not self._tweets or kind < 0.4:
            answer = post(self._command(), self.bearer, f"{self.name} says {self._chance.random()}")
            assert answer.status_code == 201, answer.text
            tweet = answer.json()["id"]
            self._tweets.append(tweet)
            if self._chance.random() < 0.5:
                self._look(answer, f"/tweets/{tweet}", lambda found: found["id"] == tweet)
            else:
                self._look(answer, "/feed", lambda found: tweet in [item["tweet"]["id"] for item in found["items"]])
        elif kind < 0.7:
            # Half of these are done already, and change nothing.
            like = self._chance.random() < 0.5
            tweet = self._tweets[-1]
            answer = self._do("POST" if like else "DELETE", f"/tweets/{tweet}/like")
            self._look(answer, f"/tweets/{tweet}", lambda found: found["viewer"]["liked"] is like)
        elif kind < 0.9:
            follow = self._chance.random() < 0.5
            answer = self._do("POST" if follow else "DELETE", f"/users/{target}/follow")
            self._look(answer, f"/users/{target}", lambda found: found["viewer"]["following"] is follow)
        else:
            tweet = self._tweets.pop()
            answer = self._do("DELETE", f"/tweets/{tweet}")
            self._look(answer, "/feed", lambda found: tweet not in [item["tweet"]["id"] for item in found["items"]])

    def _command(self) -> httpx.Client:
        return self._chance.choice(self._commands)

    def _do(self, method: str, path: str) -> httpx.Response:
        answer = self._command().request(method, f"/api/v1{path}", headers=self.bearer)
        assert answer.is_success, answer.text
        return answer

    def _look(self, answer: httpx.Response, path: str, shows: Callable[[Any], bool]) -> None:
        # A token is about one write: who likes a tweet of a moment ago sends that one's, too.
        self._written = [*self._written[-9:], answer.headers["consistency-token"]]
        token = ",".join(self._written)
        read = self._chance.choice(self._queries).get(
            f"/api/v1{path}", headers=self.bearer | {"consistency-token": token}
        )
        if read.headers.get("consistency") == "stale":
            self.stale += 1
        elif read.status_code == 200 and shows(read.json()):
            self.seen += 1
        else:
            self.missed.append(
                (answer.request.method, str(answer.request.url), path, read.status_code, read.text[:300])
            )


@contextmanager
def now_and_then_frozen(broker: Note, done: threading.Event) -> Iterator[None]:
    """Freeze the broker for two seconds at a time until the block ends."""

    def freeze() -> None:
        while not done.wait(4):
            for process in broker.processes.values():
                os.kill(process.pid, signal.SIGSTOP)
            done.wait(2)
            for process in broker.processes.values():
                os.kill(process.pid, signal.SIGCONT)

    thread = threading.Thread(target=freeze)
    thread.start()
    try:
        yield
    finally:
        done.set()
        thread.join()


def test_every_read_sees_its_write_or_says_that_it_does_not(installation: Installation, broker: Note) -> None:
    roles = [("serve", "command")] * 2 + [("serve", "query")] * 2 + [("work", "all")]
    with ExitStack() as stack:
        processes = [stack.enter_context(installation.process(*words)) for words in roles]
        for each in processes:
            ready(*each)
        urls = [str(client.base_url) for _, client in processes]
        writers = [Writer(number, urls[:2], urls[2:4]) for number in range(WRITERS)]
        for writer in writers:
            stack.callback(writer.close)
        failures: list[BaseException] = []

        def work(writer: Writer, target: str) -> None:
            try:
                for _ in range(WRITES):
                    writer.write(target)
            except BaseException as error:
                failures.append(error)

        threads = [
            threading.Thread(target=work, args=(writer, writers[n - 1].name)) for n, writer in enumerate(writers)
        ]
        began = time.monotonic()
        done = threading.Event()
        with now_and_then_frozen(broker, done):
            for thread in threads:
                thread.start()
            for thread in threads:
                thread.join()
        assert not failures, failures[0]
        missed = [each for writer in writers for each in writer.missed]
        seen, stale = sum(writer.seen for writer in writers), sum(writer.stale for writer in writers)
        told = f"{seen} saw their write, {stale} were marked stale, {time.monotonic() - began:.0f} s"
        assert not missed, (len(missed), missed[0], told)
        assert seen + stale == WRITERS * WRITES
        assert seen > stale, told
        print(told)
