"""Clients in Python and TypeScript, generated from a live server's document, sign in, post and read the feed.

The generators are pinned, and kept beside the engines in the user's cache. What they need is skipped where it cannot be
had, and fails with CI=true.
"""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
from collections.abc import Iterator, Sequence
from pathlib import Path

import pytest

from infra.local.packages import cache_directory
from tests.integration.running import Serving

pytestmark = [pytest.mark.slow, pytest.mark.long]

HERE = Path(__file__).parent
PYTHON_GENERATOR = "openapi-python-client==0.29.1"
NODE_PACKAGES = ("openapi-typescript@7.13.0", "openapi-fetch@0.17.0", "typescript@5.9.3", "@types/node@22")
TSC = ("--strict", "--noUncheckedIndexedAccess", "--target", "es2022", "--module", "nodenext", "--skipLibCheck")


@pytest.fixture
def server(tmp_path: Path) -> Iterator[Serving]:
    with Serving(tmp_path / "data") as server:
        server.join("tester")
        yield server


@pytest.fixture
def document(server: Serving, tmp_path: Path) -> Path:
    file = tmp_path / "openapi.json"
    file.write_bytes(server.http.get("/openapi.json").content)
    return file


def done(command: Sequence[str | Path], place: Path) -> str:
    ran = subprocess.run(command, cwd=place, capture_output=True, text=True, timeout=80, check=False)
    assert ran.returncode == 0, f"{command}\n{ran.stdout[-3000:]}\n{ran.stderr[-3000:]}"
    return ran.stdout + ran.stderr


def had(place: Path, commands: Sequence[Sequence[str | Path]]) -> Path:
    """A place in the cache that these commands filled, now or before."""
    if not (place / "whole").exists():
        shutil.rmtree(place, ignore_errors=True)
        place.mkdir(parents=True)
        try:
            for command in commands:
                done(command, place)
        except (AssertionError, OSError, subprocess.TimeoutExpired) as error:
            if os.environ.get("CI") == "true":
                raise
            pytest.skip(f"the generator cannot be had: {error}")
        (place / "whole").touch()
    return place


def test_a_python_client_is_generated_whole_and_works(server: Serving, document: Path, tmp_path: Path) -> None:
    place = cache_directory() / PYTHON_GENERATOR
    installing: list[list[str | Path]] = [
        [sys.executable, "-m", "venv", place],
        [place / "bin" / "pip", "install", "-q", PYTHON_GENERATOR],
    ]
    program = had(place, installing) / "bin"
    options = ("--path", document, "--output-path", tmp_path / "made", "--meta", "none")
    said = done([program / "openapi-python-client", "generate", *options], tmp_path)
    assert "WARNING" not in said
    assert "Endpoint" not in said
    shutil.copy(HERE / "use.py", tmp_path)
    assert done([program / "python", "use.py", server.url], tmp_path) == "done\n"


def test_a_typescript_client_compiles_strictly_and_works(server: Serving, document: Path, tmp_path: Path) -> None:
    npm, node = shutil.which("npm"), shutil.which("node")
    if npm is None or node is None:
        if os.environ.get("CI") == "true":
            pytest.fail("npm is not installed (Debian: apt-get install npm)", pytrace=False)
        pytest.skip("npm is not installed (Debian: apt-get install npm)")
    installing: list[list[str | Path]] = [[npm, "install", "--silent", "--no-audit", "--no-fund", *NODE_PACKAGES]]
    place = had(cache_directory() / "openapi-typescript-7.13.0", installing)
    programs = place / "node_modules" / ".bin"
    (tmp_path / "node_modules").symlink_to(place / "node_modules")
    (tmp_path / "package.json").write_text('{"type": "module"}')
    done([programs / "openapi-typescript", document, "-o", tmp_path / "api.ts"], tmp_path)
    shutil.copy(HERE / "use.ts", tmp_path)
    done([programs / "tsc", *TSC, "use.ts"], tmp_path)
    assert done([node, "use.js", server.url], tmp_path) == "done\n"
