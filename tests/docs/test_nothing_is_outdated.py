"""A sentence that says what is not there yet is a debt: whoever brings the thing removes the sentence.

The phrases that such sentences have are looked for in the pages and in docstrings; those that are true are listed here.
"""

from __future__ import annotations

import re
import subprocess
from pathlib import Path

ROOT = Path(__file__).resolve().parents[2]
PHRASES = re.compile(
    r"not there yet|none of that|does not exist yet|exists yet|what runs today|is meant to come|still to come"
    r"|there is one, embedded|comes? with moderation|what is not there\b|the only one so far",
    re.IGNORECASE,
)
TRUE = {
    "CHANGELOG.md": None,
    "docs/explanation/architecture.md": ["## What is not there"],
    "command_api/routes/graph.py": ["is the only one so far"],
}
"""The sentences that are true, by file; None for a file that tells of the past."""


def read() -> list[tuple[str, str]]:
    """Each line of each page and module, with its file."""
    names = subprocess.run(
        ["git", "ls-files", "*.md", "*.py", ":!tests", ":!docs/adr"],
        cwd=ROOT,
        capture_output=True,
        check=True,
        text=True,
    )
    return [(name, line) for name in names.stdout.split() for line in (ROOT / name).read_text().splitlines()]


def test_nothing_says_of_what_is_there_that_it_is_to_come() -> None:
    found = [
        f"{name}: {line.strip()}"
        for name, line in read()
        if PHRASES.search(line)
        and (true := TRUE.get(name, [])) is not None
        and not any(sentence in line for sentence in true)
    ]
    assert found == []


def test_the_sentences_that_are_true_are_still_there() -> None:
    lines = read()
    for name, sentences in TRUE.items():
        for sentence in sentences or ():
            assert any(path == name and sentence in line for path, line in lines), (name, sentence)
