"""`minitwitter status` in the embedded profile: beside a server, without one, and never better than it is."""

from __future__ import annotations

import json
import signal
from pathlib import Path

import pytest

from events.ids import Millis, wall_clock
from events.log import TopicPartition
from runtime.embedded.log_db import Ownership
from runtime.embedded.models import ALL_TABLES
from runtime.embedded.status import of_files, read_models_part, status
from runtime.settings import Settings
from stores.dead_letters import DeadLetter
from stores.sqlite.dead_letters import SqliteDeadLetters
from stores.sqlite.views import Views
from tests.integration.running import Serving, minitwitter


async def test_status_says_what_readyz_says_and_tells_of_the_files_when_no_server_runs(tmp_path: Path) -> None:
    data = tmp_path / "data"
    with Serving(data) as server:
        server.join("alice").post("to be counted")
        asked = minitwitter("status", "--data", data, "--json")
        told = json.loads(asked.stdout)
        ready = server.http.get("/readyz").json()
        assert (told["state"], told["parts"]) == (ready["state"], ready["parts"])
        assert asked.returncode == (0 if told["state"] == "ready" else 1)
        assert told["server"]
        groups = {group["name"]: group for group in told["groups"]}
        assert set(groups) == {"serving", "analytics"}
        models = {model["name"]: model for model in groups["serving"]["models"]}
        assert models["tweets"]["generation"] == "1"
        assert told["disk"]["files"]["log.db"] > 0
        assert server.stop() == 0
    without = minitwitter("status", "--data", data)
    assert (without.returncode, f"no server runs; `minitwitter serve --data {data}`" in without.stdout) == (1, True)
    assert "embedded profile: down" in without.stdout
    await set_aside_in(data)
    await exchanged(data)
    (data / "views.db").unlink()
    found = await of_files(data, lambda: Millis(wall_clock() + 60_000))
    assert found.state == "degraded"
    assert all((group.lag_events or 0) > 0 and (group.lag_seconds or 0) >= 60 for group in found.groups)


async def test_a_server_that_stands_still_is_told_of_and_not_waited_for(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("runtime.embedded.status.ANSWERS_S", 0.2)
    with Serving(tmp_path / "data") as server:
        server.join("alice").post("to be counted")
        server.process.send_signal(signal.SIGSTOP)
        try:
            found = await status(Settings(data=tmp_path / "data"))
        finally:
            server.process.send_signal(signal.SIGCONT)
    assert (found.state, found.parts[0].name) == ("down", "server")
    assert "has not answered" in found.parts[0].detail
    assert {group.name for group in found.groups} == {"serving", "analytics"}


async def test_a_process_that_has_the_directory_and_does_not_serve_yet_is_no_server(tmp_path: Path) -> None:
    with Serving(tmp_path / "data") as server:
        server.join("alice").post("to be counted")
        assert server.stop() == 0
    ownership = Ownership(tmp_path / "data")
    found = await status(Settings(data=tmp_path / "data"))
    ownership.release()
    assert (found.state, found.parts[0].state) == ("down", "down")
    assert "does not serve yet" in found.parts[0].detail


async def exchanged(data: Path) -> None:
    """Read models of another log are told of, with what mends them."""
    views = Views(data / "views.db", ALL_TABLES)
    own = views.log_identity()
    views.note_log("of-somebody-else")
    found = await of_files(data, wall_clock)
    views.note_log(own)
    views.connection.close()
    part = next(part for part in found.parts if part.name == "read models")
    assert (found.state, part.state) == ("down", "down")
    assert "of-somebody-else" in part.detail
    assert "rebuild --from-nothing" in part.detail


async def set_aside_in(data: Path) -> None:
    """A dead letter is told of, and is no good state."""
    views = Views(data / "views.db", ALL_TABLES)
    place = TopicPartition("tweets", 0)
    letter = DeadLetter(
        group="serving",
        place=place,
        offset=0,
        key="key",
        event_id="id",
        type="TweetPosted",
        version=3,
        cause="ValueError: no",
        at=Millis(1),
        attempts=1,
    )
    await SqliteDeadLetters(views.connection, "serving").put([letter])
    views.connection.close()
    found = await of_files(data, wall_clock)
    serving = next(group for group in found.groups if group.name == "serving")
    assert (found.state, serving.state, serving.dead_letters) == ("degraded", "degraded", 1)
    assert "dead-letters list" in serving.detail


@pytest.mark.parametrize(
    ("detail", "serves", "stopped", "behind", "state"),
    [
        ("", True, "", "", "ready"),
        ("", True, "", "serving is 9 events and 6 s behind the log", "degraded"),
        ("", True, "analytics stopped at tweets-0@3", "", "degraded"),
        ("the projecting process ended with 1; it is being started again", True, "", "", "degraded"),
        ("disk full", True, "", "", "degraded"),
        ("starting", False, "", "", "down"),
        ("the log is damaged", False, "", "", "down"),
    ],
)
def test_the_read_models_are_down_only_where_they_cannot_be_read(
    detail: str, serves: bool, stopped: str, behind: str, state: str
) -> None:
    part = read_models_part(detail, serves=serves, stopped=stopped, behind=behind)
    assert (part.state, part.detail) == (state, detail or stopped or behind)


def test_where_there_is_no_log_it_says_so_and_makes_nothing(tmp_path: Path) -> None:
    asked = minitwitter("status", "--data", tmp_path / "typo")
    assert (asked.returncode, asked.stdout) == (2, "")
    assert asked.stderr.count("\n") == 1
    assert not (tmp_path / "typo").exists()
