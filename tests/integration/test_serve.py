"""`minitwitter serve` as an operator runs it: start, stop, kill, and error messages."""

from __future__ import annotations

import os
import signal
import socket
import time
from pathlib import Path

import httpx
import pytest

from tests.integration.running import LONGEST_START_S, Serving, minitwitter

pytestmark = pytest.mark.slow


def test_a_tweet_is_in_its_followers_feed_as_soon_as_the_token_of_the_write_says(tmp_path: Path) -> None:
    with Serving(tmp_path / "data") as server:
        alice, bob = server.join("alice"), server.join("bob")
        bob.follow(alice)
        tweet = alice.post("Hello, #world")
        feed = bob.after(alice).get("/feed")
        assert [item["tweet"]["id"] for item in feed["items"]] == [tweet]


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM])
def test_it_stops_cleanly_and_has_everything_when_it_is_started_again(tmp_path: Path, number: signal.Signals) -> None:
    with Serving(tmp_path / "data") as server:
        alice = server.join("alice")
        tweet = alice.post("kept")
        assert server.stop(number) == 0
    with Serving(tmp_path / "data") as server:
        alice = server.sign_in("alice")
        assert alice.get(f"/tweets/{tweet}")["text"] == "kept"
    assert not (tmp_path / "data" / "control.sock").exists()


def test_open_streams_and_idle_connections_do_not_hold_up_a_stop(tmp_path: Path) -> None:
    with Serving(tmp_path / "data") as server:
        alice = server.join("alice")
        idle = httpx.Client(base_url=server.url)
        idle.get("/healthz")
        with (
            httpx.Client(base_url=server.url) as client,
            client.stream("GET", "/api/v1/stream", headers=alice.headers) as open_,
        ):
            lines = open_.iter_lines()
            assert next(lines).startswith("retry:")
            server.process.send_signal(signal.SIGTERM)
            for _ in lines:
                pass
            assert server.process.wait(10) == 0
        idle.close()


def test_what_was_acknowledged_before_a_kill_is_there_after_it(tmp_path: Path) -> None:
    with Serving(tmp_path / "data") as server:
        alice = server.join("alice")
        tweets = [alice.post(f"tweet {number}") for number in range(50)]
        server.kill()
    with Serving(tmp_path / "data") as server:
        found = server.sign_in("alice").get("/users/alice/tweets?limit=100")
        assert [item["tweet"]["id"] for item in found["items"]] == tweets[::-1]
    assert minitwitter("verify", "--data", tmp_path / "data").returncode == 0


def test_a_projecting_process_that_dies_is_started_again_and_nothing_is_lost(tmp_path: Path) -> None:
    with Serving(tmp_path / "data") as server:
        alice = server.join("alice")
        first = alice.post("before")
        os.kill(server.projecting(), signal.SIGKILL)
        second = alice.post("after")
        deadline = time.monotonic() + 60
        # Reads are answered meanwhile, from what there was; the last one has both.
        while [item["tweet"]["id"] for item in alice.get("/users/alice/tweets")["items"]] != [second, first]:
            assert time.monotonic() < deadline
        metrics = server.http.get("/metrics").text
        assert "minitwitter_projecting_restarts_total 1.0" in metrics
    assert minitwitter("verify", "--data", tmp_path / "data").returncode == 0


def test_a_second_server_on_the_same_data_is_refused_in_one_line(tmp_path: Path) -> None:
    with Serving(tmp_path / "data"):
        second = minitwitter("serve", "--data", tmp_path / "data", "--port", "0")
        assert second.returncode == 3
        assert second.stderr.startswith("minitwitter: another minitwitter runs on")
        assert second.stderr.count("\n") == 1


def test_a_port_in_use_is_refused_in_one_line(tmp_path: Path) -> None:
    with socket.create_server(("127.0.0.1", 0)) as other:
        port = other.getsockname()[1]
        refused = minitwitter("serve", "--data", tmp_path / "data", "--port", port)
    assert refused.returncode == 3
    assert f"127.0.0.1:{port} cannot be listened on" in refused.stderr
    assert "with make, PORT=N" in refused.stderr
    assert refused.stderr.count("\n") == 1


def test_a_missing_master_key_is_named_and_no_new_one_takes_its_place(tmp_path: Path) -> None:
    with Serving(tmp_path / "data") as server:
        server.join("alice")
    (tmp_path / "data" / "master.key").rename(tmp_path / "elsewhere")
    refused = minitwitter("serve", "--data", tmp_path / "data", "--port", "0")
    assert refused.returncode == 4
    assert "master.key is missing" in refused.stderr
    assert not (tmp_path / "data" / "master.key").exists()


def test_secrets_are_readable_by_their_owner_alone(tmp_path: Path) -> None:
    with Serving(tmp_path / "data"):
        data = tmp_path / "data"
        assert data.stat().st_mode & 0o777 == 0o700
        assert (data / "master.key").stat().st_mode & 0o777 == 0o600
        assert (data / "control.sock").stat().st_mode & 0o777 == 0o600
        for key in (data / "signing-keys").iterdir():
            assert key.stat().st_mode & 0o777 == 0o600


TOLD = (
    "minitwitter_append_seconds_count",
    "minitwitter_commit_commands_bucket",
    'minitwitter_projector_lag_events{group="serving",partition="0",topic="tweets"}',
    'minitwitter_projector_lag_seconds{group="analytics",partition="0",topic="tweets"}',
    'minitwitter_wal_bytes{database="log"}',
    'minitwitter_freshness_seconds_count{group="serving"}',
    "minitwitter_disk_free_bytes",
)


def test_metrics_tell_of_requests_appends_and_lag(tmp_path: Path) -> None:
    with Serving(tmp_path / "data") as server:
        server.join("alice").post("counted")
        metrics = server.http.get("/metrics").text
        assert 'minitwitter_http_requests_total{method="POST",route="/api/v1/tweets",status="2xx"} 1.0' in metrics
        # Freshness counts once the projecting process has reported the tweet: after the answer, not with it.
        deadline = time.monotonic() + LONGEST_START_S
        while missing := [name for name in TOLD if name not in metrics]:
            assert time.monotonic() < deadline, missing
            time.sleep(0.05)
            metrics = server.http.get("/metrics").text
