"""The read model that a how-to adds is kept by Cassandra too: the files of the page pass the test of the page."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import pytest

from tests.docs.pages import ROOT, blocks
from tests.docs.terminal import Terminal
from tests.docs.test_docs_commands import follow

PAGE = ROOT / "docs/how-to/add-a-read-model.md"


@pytest.mark.engines
@pytest.mark.slow
def test_the_read_model_of_the_how_to_passes_its_test_on_both_engines(cassandra: str, tmp_path: Path) -> None:
    with Terminal(tmp_path) as terminal:
        terminal.copy_sources()
        for block in blocks(PAGE):
            if block.language == "diff" or any(each.startswith("file ") for each in block.directives):
                follow(terminal, block)
        done = subprocess.run(
            [sys.executable, "-m", "pytest", "-q", "-n0", "-p", "no:cacheprovider", "tests/stores/test_sites.py"],
            cwd=terminal.directory,
            env=os.environ | {"MINITWITTER_TEST_CASSANDRA_URL": cassandra},
            capture_output=True,
            text=True,
            check=False,
        )
    assert done.returncode == 0, done.stdout
    assert "1 passed" in done.stdout
