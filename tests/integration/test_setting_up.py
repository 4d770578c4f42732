"""`make setup` on a machine that has Python and nothing else: an empty home and no cache of packages."""

from __future__ import annotations

import os
import shutil
import subprocess
from pathlib import Path

import pytest

from tests.integration.running import ROOT
from tests.integration.test_cli_base_install import SET

SOURCES = ("Makefile", "pyproject.toml", "README.md", "LICENSE", "requirements.lock", "requirements-dev.lock")


@pytest.mark.slow
def test_setup_installs_what_the_embedded_profile_runs_with_and_the_next_command_says_what_the_other_needs(
    tmp_path: Path,
) -> None:
    copy, home = tmp_path / "copy", tmp_path / "home"
    home.mkdir()
    for room in (path.parent for path in ROOT.glob("*/py.typed")):
        shutil.copytree(room, copy / room.name, ignore=shutil.ignore_patterns("__pycache__"))
    for name in SOURCES:
        shutil.copy(ROOT / name, copy)
    kept = {name: value for name, value in os.environ.items() if not name.startswith(("VIRTUAL_ENV", "MAKE", "UV_"))}
    environment = {**kept, "HOME": str(home), "MINITWITTER_DATA": str(tmp_path / "data")}

    def run(*words: str | Path, **settings: str) -> subprocess.CompletedProcess[str]:
        return subprocess.run(
            words, cwd=copy, env={**environment, **settings}, capture_output=True, text=True, timeout=300, check=False
        )

    done = run("make", "setup")
    assert done.returncode == 0, done.stderr
    first, *_, last = done.stderr.splitlines()
    assert first == "Fetching uv, which installs the packages"
    assert last.startswith(".venv is ready after ")
    assert run("make", "--question", "setup").returncode == 0
    assert run("make", "--question", "setup-dev").returncode == 1

    program = copy / ".venv" / "bin" / "minitwitter"
    assert run(program, "keys", "make-master", tmp_path / "master.key").returncode == 0
    missing = run(program, "serve", "query", **SET)
    assert missing.returncode == 2
    assert "`make setup-distributed` installs it" in missing.stderr
