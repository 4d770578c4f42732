"""The wheel: what the image installs, and what a release publishes."""

from __future__ import annotations

import os
import subprocess
import sys
import tomllib
import zipfile
from pathlib import Path

import pytest

pytestmark = pytest.mark.slow

ROOT = Path(__file__).resolve().parents[2]
PROJECT = tomllib.loads((ROOT / "pyproject.toml").read_text())["project"]
ROOMS = [path.parent for path in sorted(ROOT.glob("*/py.typed"))]
NOT_INSTALLED = {"infra/setup.sh", "infra/build.in", "infra/installer.in", "infra/installer.lock"}


@pytest.fixture(scope="module")
def wheel(tmp_path_factory: pytest.TempPathFactory) -> zipfile.ZipFile:
    """The wheel of `make wheel`, or else one that is built as the image builds it."""
    if built := os.environ.get("MINITWITTER_TEST_WHEEL"):
        return zipfile.ZipFile(ROOT / built)
    place = tmp_path_factory.mktemp("wheel")
    copied = place / "source"
    copied.mkdir()
    for line in (ROOT / ".dockerignore").read_text().splitlines():
        if line.startswith("!"):
            subprocess.run(["cp", "-r", ROOT / line[1:], copied / line[1:]], check=True)
    subprocess.run(
        [sys.executable, "-m", "pip", "wheel", "-q", "--no-deps", "--no-build-isolation", "--wheel-dir", place, "."],
        cwd=copied,
        check=True,
        capture_output=True,
    )
    (path,) = place.glob("*.whl")
    return zipfile.ZipFile(path)


def test_the_wheel_has_every_file_of_the_packages(wheel: zipfile.ZipFile) -> None:
    """Migrations, schemas and py.typed are no Python, and easily forgotten."""
    files = {
        str(path.relative_to(ROOT))
        for room in ROOMS
        for path in room.rglob("*")
        if path.is_file() and "__pycache__" not in path.parts and (ROOT / "infra" / "docker") not in path.parents
    }
    assert files - set(wheel.namelist()) == NOT_INSTALLED


def test_the_wheel_has_nothing_but_the_packages(wheel: zipfile.ZipFile) -> None:
    folders = {name.split("/")[0] for name in wheel.namelist()}
    rooms = {room.name for room in ROOMS}
    assert folders - rooms == {f"minitwitter-{PROJECT['version']}.dist-info"}
    assert not [name for name in wheel.namelist() if name.split("/")[0] in rooms and not (ROOT / name).is_file()]


def test_the_wheel_says_its_version_its_licences_and_where_the_project_is(wheel: zipfile.ZipFile) -> None:
    directory = f"minitwitter-{PROJECT['version']}.dist-info"
    said = wheel.read(f"{directory}/METADATA").decode().splitlines()
    assert f"Version: {PROJECT['version']}" in said
    for name, url in PROJECT["urls"].items():
        assert f"Project-URL: {name}, {url}" in said
    for file in PROJECT["license-files"]:
        assert f"{directory}/licenses/{file}" in wheel.namelist()
