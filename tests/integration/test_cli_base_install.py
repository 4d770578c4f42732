"""The command line without the packages of the distributed profile, as `pip install minitwitter` leaves it."""

from __future__ import annotations

import re
import subprocess
import sys
import tomllib
from importlib.metadata import packages_distributions
from pathlib import Path
from subprocess import CompletedProcess

import pytest

from runtime.cli.terminal import DISTRIBUTED
from tests.integration.running import ROOT, environment

WITHOUT = """
import sys

class Absent:
    def find_spec(self, name, path=None, target=None):
        if name.partition(".")[0] in {names}:
            raise ModuleNotFoundError(f"No module named {{name!r}}", name=name)

sys.meta_path.insert(0, Absent())
from runtime.cli import main
sys.argv = ["minitwitter", *sys.argv[1:]]
main()
"""
SET = {
    "MINITWITTER_KAFKA_URL": "127.0.0.1:1",
    "MINITWITTER_POSTGRES_URL": "postgresql://nobody@127.0.0.1:1/nothing",
    "MINITWITTER_CASSANDRA_URL": "cassandra://127.0.0.1:1/",
    "MINITWITTER_REDIS_URL": "redis://127.0.0.1:1/0",
}


def typed(*words: Path | str, **settings: str) -> CompletedProcess[str]:
    code = WITHOUT.format(names=set(DISTRIBUTED))
    return subprocess.run(
        [sys.executable, "-c", code, *map(str, words)],
        env={**environment(), **settings},
        cwd=ROOT,
        capture_output=True,
        text=True,
        timeout=120,
        check=False,
    )


def test_the_packages_of_the_extra_are_known() -> None:
    extras = tomllib.loads((ROOT / "pyproject.toml").read_text())["project"]["optional-dependencies"]["distributed"]
    names = {re.split(r"[^\w-]", line)[0].lower().replace("_", "-") for line in extras}
    modules = {
        module
        for module, distributions in packages_distributions().items()
        if names & {name.lower().replace("_", "-") for name in distributions} and re.fullmatch(r"[a-z]\w*", module)
    }
    assert {"confluent_kafka", "cassandra", "faust", "psycopg", "redis", "minio"} <= DISTRIBUTED & modules


@pytest.mark.slow
@pytest.mark.parametrize(
    "command",
    [
        "migrate",
        "topics apply",
        "work projectors",
        "work streams",
        "work relay",
        "work all",
        "serve command",
        "serve query",
        "verify",
        "rebuild tweets",
        "import tweets /dev/null",
    ],
)
def test_a_command_of_the_distributed_profile_says_what_to_install(tmp_path: Path, command: str) -> None:
    done = typed(*command.split(), "--data", tmp_path / "data", **SET)
    assert (done.returncode, done.stdout) == (2, "")
    (line,) = done.stderr.splitlines()
    assert re.fullmatch(r"minitwitter: \w+ is not installed, .*; `make setup-distributed` installs it, or .*", line)
    assert not (tmp_path / "data").exists()


@pytest.mark.slow
def test_every_help_and_the_engines_work_without_the_extra(tmp_path: Path) -> None:
    for words in (["--help"], ["work", "--help"], ["serve", "--help"], ["topics", "--help"], ["--version"]):
        assert typed(*words).returncode == 0
    engines = typed("engines", "status", "--engines-dir", tmp_path, "--json")
    assert (engines.returncode, engines.stderr) in ((0, ""), (1, "")) or "make setup-distributed" in engines.stderr
    assert "Traceback" not in engines.stderr
