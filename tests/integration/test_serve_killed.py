"""`kill -9` of a server under load, again and again, and a disk that refuses: what was acknowledged stays (law 1)."""

from __future__ import annotations

import random
import resource
import threading

import httpx
import pytest

from tests.integration.running import Serving, answered

pytestmark = pytest.mark.slow

KILLS = 20
WRITERS = 4


class Writer(threading.Thread):
    """Writes until the server is gone, and remembers what it was promised."""

    def __init__(self, person, others, seed):
        super().__init__()
        self.person = person
        self.others = others
        self.random = random.Random(seed)
        self.posted, self.liked, self.deleted = [], set(), set()
        self.unsure = None  # what was asked last may have happened without an answer

    def run(self):
        try:
            while True:
                self.write()
        except httpx.TransportError:
            return

    def write(self):
        tweet = self.person.post(f"a tweet #tag{self.random.randrange(5)} @{self.random.choice(self.others).name}")
        self.posted.append(tweet)
        if self.random.random() < 0.5:
            liked = self.random.choice(self.posted)
            if liked not in self.deleted:
                self.unsure = liked
                self.person.like(liked)
                self.liked.add(liked)
        if self.random.random() < 0.1:
            gone = self.random.choice([t for t in self.posted if t not in self.deleted] or [tweet])
            self.unsure = gone
            self.person.delete(gone)
            self.deleted.add(gone)


def test_nothing_acknowledged_is_missing_after_twenty_kills_under_load(tmp_path):
    data = tmp_path / "data"
    names = [f"writer_{number}" for number in range(WRITERS)]
    promised = {name: ([], set(), set()) for name in names}
    unsure = set()
    with Serving(data) as server:
        for name in names:
            server.join(name)
    for kill in range(KILLS):
        with Serving(data) as server:
            people = [server.sign_in(name) for name in names]
            for person in people:
                posted, liked, deleted = promised[person.name]
                for tweet in set(posted[-10:]) - unsure:
                    answer = server.http.get(f"/api/v1/tweets/{tweet}", headers=person.headers)
                    assert answer.status_code == (410 if tweet in deleted else 200)
                    assert tweet in deleted or answer.json()["viewer"]["liked"] == (tweet in liked)
            writers = [Writer(person, people, kill * WRITERS + n) for n, person in enumerate(people)]
            for writer in writers:
                writer.start()
            # Killed once everybody was promised something, at a moment that is another one each time.
            enough = 5 + kill
            while sum(len(writer.posted) for writer in writers) < WRITERS * enough:
                assert any(writer.is_alive() for writer in writers)
            server.kill()
            for writer in writers:
                writer.join()
                posted, liked, deleted = promised[writer.person.name]
                posted += writer.posted
                liked |= writer.liked
                deleted |= writer.deleted
                unsure.add(writer.unsure)
    verdict = answered("verify", "--data", data)
    assert [finding for finding in verdict["findings"] if not finding["same"]] == []
    with Serving(data) as server:
        for name, (posted, _, deleted) in promised.items():
            found, cursor = set(), ""
            while cursor is not None:
                page = server.get(f"/users/{name}/tweets?limit=100{cursor and '&cursor='}{cursor}")
                found |= {item["tweet"]["id"] for item in page["items"]}
                cursor = page["next_cursor"]
            assert set(posted) - deleted - unsure <= found
            assert not deleted & found


def limit_files(server, most):
    """Let no file of the server's processes grow beyond `most` bytes."""
    for pid in (server.process.pid, server.projecting()):
        resource.prlimit(pid, resource.RLIMIT_FSIZE, (most, resource.RLIM_INFINITY))


def test_a_disk_that_refuses_is_a_503_and_costs_nothing_that_was_acknowledged(tmp_path):
    data = tmp_path / "data"
    with Serving(data) as server:
        alice = server.join("alice")
        tweets = [alice.post(f"before {number}") for number in range(20)]
        limit_files(server, (data / "log.db-wal").stat().st_size)
        answer = server.http.post("/api/v1/tweets", json={"text": "x" * 280}, headers=alice.headers)
        while answer.status_code == 201:
            tweets.append(answer.json()["id"])
            answer = server.http.post("/api/v1/tweets", json={"text": "x" * 280}, headers=alice.headers)
        assert answer.status_code == 503
        assert answer.headers["content-type"] == "application/problem+json"
        assert int(answer.headers["retry-after"]) > 0
        assert len(alice.get("/users/alice/tweets?limit=100")["items"]) == len(tweets)
        limit_files(server, resource.RLIM_INFINITY)
        tweets.append(alice.post("after"))
        found = alice.get("/users/alice/tweets?limit=100")["items"]
        assert [item["tweet"]["id"] for item in found] == tweets[::-1]
        assert answered("verify", "--data", data)["same"]
