"""A disk that refuses writes (law 1), simulated without root by a limit on the size of files."""

from __future__ import annotations

import resource
from pathlib import Path

import pytest

from tests.integration.running import Serving, answered

pytestmark = pytest.mark.slow


def limit_files(server: Serving, most: int) -> None:
    """Limit the files of the server's processes to `most` bytes."""
    for pid in (server.process.pid, server.projecting()):
        resource.prlimit(pid, resource.RLIMIT_FSIZE, (most, resource.RLIM_INFINITY))


def test_a_disk_that_refuses_is_a_503_and_costs_nothing_that_was_acknowledged(tmp_path: Path) -> None:
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
