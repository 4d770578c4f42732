"""What a data directory holds is for its owner alone, whatever the umask of the shell."""

from __future__ import annotations

import os
import stat
from pathlib import Path

import pytest

from tests.integration.running import Serving

pytestmark = pytest.mark.slow


def open_to_others(directory: Path) -> list[str]:
    found = [path for path in directory.rglob("*") if not path.is_dir()]
    assert found
    return [str(path) for path in found if stat.S_IMODE(path.stat().st_mode) & 0o077]


def test_the_files_of_a_server_are_for_its_owner(tmp_path: Path) -> None:
    before = os.umask(0o022)
    try:
        with Serving(tmp_path / "data") as server:
            server.join("ada").post("mine")
            assert open_to_others(tmp_path / "data") == []
        media = tmp_path / "data" / "media"
        media.mkdir(exist_ok=True)
        media.chmod(0o755)
        for path in (*(tmp_path / "data").glob("*.db"), *(tmp_path / "data").glob("*lock")):
            path.chmod(0o644)  # as an older version left them
        with Serving(tmp_path / "data"):
            assert open_to_others(tmp_path / "data") == []
            assert stat.S_IMODE(media.stat().st_mode) == 0o700
    finally:
        os.umask(before)
