"""The table of failures has every engine and every process, and no row without a test."""

from __future__ import annotations

import re

import pytest
import yaml

from tests.docs.pages import ROOT

PAGE = (ROOT / "docs" / "reference" / "failures.md").read_text()
SERVICES = yaml.safe_load((ROOT / "docker-compose.yml").read_text())["services"]
LONG = sorted(name for name, service in SERVICES.items() if service["restart"] != "on-failure")
SECTIONS = dict(re.findall(r"^## (\S+)\n(.*?)(?=^## |\Z)", PAGE, re.MULTILINE | re.DOTALL))


def rows(section: str) -> list[list[str]]:
    """The cells of each row of its table."""
    lines = [line for line in SECTIONS[section].splitlines() if line.startswith("| ")]
    assert lines[0] == "| what breaks | what users see | what recovers it | held by |"
    return [[cell.strip() for cell in line.strip("|").split(" | ")] for line in lines[1:]]


def test_every_engine_and_every_process_has_a_section_and_nothing_else_has() -> None:
    assert sorted(SECTIONS) == LONG


@pytest.mark.parametrize("section", LONG)
def test_a_failure_says_what_is_seen_and_has_a_test(section: str) -> None:
    assert len(rows(section)) >= 2
    for row in rows(section):
        what, seen, _, held = row
        assert what, row
        assert seen, row
        assert re.fullmatch(r"\[test_\w+\]\(\S+\.py\)(, \[test_\w+\]\(\S+\.py\))*", held), what


@pytest.mark.parametrize("section", LONG)
def test_a_failure_of_something_that_runs_is_tested_against_the_real_thing(section: str) -> None:
    """At least one of the tests of each section needs an engine."""
    files = {
        ROOT / "docs" / "reference" / link for row in rows(section) for link in re.findall(r"\((\S+\.py)\)", row[3])
    }
    assert any("pytest.mark.engines" in file.read_text() for file in files)
