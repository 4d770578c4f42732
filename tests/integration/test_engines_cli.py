"""`minitwitter engines`, as a person uses it."""

import json
import socket
import subprocess
from collections.abc import Iterator
from pathlib import Path

import pytest

from infra.local.catalogue import NAMES
from runtime.cli.engines import VARIABLES
from runtime.settings import Settings, _names
from tests.integration.running import minitwitter

pytestmark = pytest.mark.engines


@pytest.fixture
def engines(tmp_path: Path) -> Iterator[Path]:
    yield tmp_path / "engines"
    minitwitter("engines", "down", "--engines-dir", tmp_path / "engines")


def engines_command(directory: Path, what: str, *arguments: object, code: int = 0) -> subprocess.CompletedProcess[str]:
    done = minitwitter("engines", what, *arguments, "--engines-dir", directory)
    assert done.returncode == code, done.stdout + done.stderr
    return done


@pytest.mark.parametrize("command", ["up", "down", "status", "logs"])
def test_every_command_has_help_with_an_example(command: str) -> None:
    shown = minitwitter("engines", command, "--help")
    text = " ".join(shown.stdout.split())
    assert "Example: " in text
    assert f"minitwitter engines {command}" in text
    assert "--engines-dir" in text


@pytest.mark.slow
def test_an_engine_is_started_and_seen_and_stopped(engines: Path) -> None:
    up = engines_command(engines, "up", "redis")
    name, _, url = up.stdout.strip().partition("=")
    assert (name, url.rpartition(":")[0]) == ("MINITWITTER_REDIS_URL", "redis://127.0.0.1")
    assert "redis answers after" in up.stderr
    assert engines_command(engines, "up", "redis").stdout == up.stdout, "it runs already"
    assert json.loads(engines_command(engines, "status", "redis", "--json").stdout) == {"redis": {"redis-0": True}}
    assert url in engines_command(engines, "status").stdout
    assert "Ready to accept connections" in engines_command(engines, "logs", "redis", "--lines", 3).stdout
    assert json.loads(engines_command(engines, "down", "--json").stdout) == {"stopped": ["redis"]}
    assert json.loads(engines_command(engines, "status", "redis", "--json", code=1).stdout) == {
        "redis": {"redis-0": False}
    }
    engines_command(engines, "down", "redis", "--delete")
    assert not (engines / "redis").exists()


def test_a_port_that_is_taken_is_one_line_and_the_others_start_all_the_same(engines: Path) -> None:
    with socket.socket() as other:
        other.bind(("127.0.0.1", 0))
        other.listen()
        port = other.getsockname()[1]
        up = engines_command(engines, "up", "s3", "redis", "--port", f"s3.master={port}", code=1)
    assert up.stderr.startswith(f"minitwitter: port {port} (s3, master) is taken by something else")
    assert up.stdout.startswith("MINITWITTER_REDIS_URL=")


@pytest.mark.parametrize(
    ("arguments", "said"),
    [
        (("up", "mysql"), "there is no engine 'mysql'"),
        (("up", "redis", "--port", "redis"), "'redis' is not NAME=PORT"),
        (("up", "redis", "--port", "redis=70000"), "'redis=70000' is not NAME=PORT"),
        (("up", "redis", "--port", "kafka=9092"), "'kafka=9092' is not NAME=PORT"),
    ],
)
def test_what_is_asked_for_wrongly_is_refused(engines: Path, arguments: tuple[str, ...], said: str) -> None:
    done = engines_command(engines, *arguments, code=2)
    assert said in " ".join(done.stderr.replace("│", " ").split())
    assert not engines.exists()


def test_what_is_printed_are_settings() -> None:
    settings = {f"MINITWITTER_{name.replace('.', '__').upper()}" for name in _names(Settings)}
    assert {variable for variable, _ in VARIABLES.values()} <= settings
    assert set(VARIABLES) == set(NAMES)


def test_an_engine_that_was_never_started_is_not_up(engines: Path) -> None:
    assert json.loads(engines_command(engines, "status", "redis", "--json", code=1).stdout) == {"redis": {}}
