"""`minitwitter import` as it is typed: exit codes, standard input, Ctrl-C."""

from __future__ import annotations

import io
import json
import sys
from collections.abc import Coroutine
from pathlib import Path

import pytest

from runtime.cli import imports
from tests.integration.test_import import GOOD, HEADER, written
from tests.integration.typed import Typing


@pytest.fixture(autouse=True)
def at_full_speed(monkeypatch: pytest.MonkeyPatch) -> None:
    """These imports run in the tests' own process."""


@pytest.mark.parametrize(
    ("what", "content"),
    [
        ("tweets", HEADER),
        ("tweets", HEADER + "1,1970-01-01T00:00:00Z,Anna,hi,,,\n"),
        ("graph", "# nothing\n"),
        ("graph", "a b\n7 7\n"),
    ],
)
def test_a_file_without_a_good_row_is_no_success(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capfd: pytest.CaptureFixture[str], what: str, content: str
) -> None:
    typed = Typing(monkeypatch, capfd)
    assert typed("import", "tweets", written(tmp_path, GOOD), "--data", tmp_path / "data").code == 0
    file = written(tmp_path, content, "bad.file")
    ended = typed("import", what, file, "--data", tmp_path / "data")
    assert ended.code == 1
    assert ended.err.splitlines()[-1] == f"minitwitter: no row of {file} could be imported"


def test_standard_input_is_imported(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capfd: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setattr(sys, "stdin", io.TextIOWrapper(io.BytesIO(GOOD.encode())))
    ended = Typing(monkeypatch, capfd)("import", "tweets", "-", "--data", tmp_path / "data", "--json")
    assert json.loads(ended.out)["new"] == 3
    nothing = Typing(monkeypatch, capfd)("import", "tweets", tmp_path / "no.csv", "--data", tmp_path / "data")
    assert (nothing.code, nothing.err) == (2, f"minitwitter: there is no file {tmp_path / 'no.csv'}\n")


def test_ctrl_c_says_that_an_import_goes_on(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capfd: pytest.CaptureFixture[str]
) -> None:
    def stopped(work: Coroutine[object, object, object]) -> None:
        work.close()
        raise KeyboardInterrupt

    monkeypatch.setattr(imports, "run", stopped)
    ended = Typing(monkeypatch, capfd)("import", "tweets", written(tmp_path, GOOD), "--data", tmp_path / "data")
    assert (ended.code, ended.out) == (130, "")
    assert ended.err == "minitwitter: stopped; the imported part stays. Run the command again to continue\n"
