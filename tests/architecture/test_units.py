"""The units of systemd: one for each process of the command line, with its exit codes in mind."""

from __future__ import annotations

import configparser
import os
import re
import shutil
import subprocess
from pathlib import Path

import pytest

from infra.local.engine import EngineMissing
from infra.local.packages import debian
from tests.docs.pages import ROOT, blocks

UNITS = sorted((ROOT / "infra" / "systemd").glob("*.service"))
PROCESSES = {
    "serve",
    "serve command",
    "serve query",
    "work projectors",
    "work streams",
    "work relay",
}
PROGRAM = "/opt/minitwitter/.venv/bin/minitwitter"


def unit(path: Path) -> configparser.ConfigParser:
    parsed = configparser.ConfigParser(interpolation=None, strict=True)
    parsed.optionxform = str  # type: ignore[assignment, method-assign]
    parsed.read(path)
    return parsed


def codes(answer: str) -> set[str]:
    """The exit codes that docs/reference/cli.md says of, whether starting again can help, for a process that failed."""
    rows = re.findall(
        r"^\| (\d+) \| [^|]+ \| (yes|no) \|$", (ROOT / "docs" / "reference" / "cli.md").read_text(), re.MULTILINE
    )
    assert rows
    return {code for code, helps in rows if helps == answer and code not in ("0", "130")}


def test_every_process_has_one_unit() -> None:
    run = {}
    for path in UNITS:
        program, _, words = unit(path)["Service"]["ExecStart"].partition(" ")
        assert program == PROGRAM
        run[path.name] = words.split(" --")[0]
    assert sorted(run.values()) == sorted(PROCESSES)


@pytest.mark.parametrize("path", UNITS, ids=lambda path: path.name)
def test_a_unit_starts_its_process_again_unless_that_cannot_help(path: Path) -> None:
    service = unit(path)["Service"]
    assert service["Restart"] == "on-failure"
    assert set(service["RestartPreventExitStatus"].split()) == codes("no")
    assert int(service["TimeoutStopSec"]) >= 30


def test_the_page_shows_the_unit_that_there_is() -> None:
    [shown] = [b for b in blocks(ROOT / "docs" / "how-to" / "run-it-for-real.md") if b.language == "ini"]
    assert "\n".join((*shown.lines, "")) == (ROOT / "infra" / "systemd" / "minitwitter.service").read_text()


def test_every_error_that_commands_explain_has_a_code_of_the_table() -> None:
    source = (ROOT / "runtime" / "cli" / "options.py").read_text()
    used = set(re.findall(r"^        \([\w, ]+\): (\d+),$", source, re.MULTILINE))
    assert used
    assert used <= codes("yes") | codes("no")


def test_systemd_understands_the_units(tmp_path: Path) -> None:
    try:
        analyze = debian("systemd-analyze", "systemd")
    except EngineMissing as missing:
        if os.environ.get("CI") == "true":
            pytest.fail(str(missing), pytrace=False)
        pytest.skip(str(missing))
    for path in UNITS:
        # What is installed on a host that runs them need not be on this one.
        text = path.read_text().replace(PROGRAM, shutil.which("true") or "/bin/true")
        (tmp_path / path.name.replace("@.", "@8000.")).write_text(text)
    done = subprocess.run(
        [analyze, "verify", "--recursive-errors=no", *map(str, tmp_path.iterdir())],
        capture_output=True,
        text=True,
        timeout=60,
    )
    ours = [line for line in done.stderr.splitlines() if str(tmp_path) in line or "minitwitter" in line]
    assert ours == []
