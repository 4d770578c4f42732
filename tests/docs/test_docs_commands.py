"""Every command in the documentation is run, page by page, and prints what the page shows.

In an output `...` stands for anything; ids, moments, tokens and durations are another each time. Comments in a page
tell what a reader sees for themselves: `<!-- test: stop -->` that what goes on is stopped before the next block,
`<!-- test: sources -->` that the page is read in a copy of the project, `<!-- test: shape -->` that texts and numbers
are another each time as well.
"""

from __future__ import annotations

from pathlib import Path

import pytest

from tests.docs.pages import PAGES, RUN, blocks, commands, name
from tests.docs.terminal import Terminal

SHOWN = {
    "": "figures of a decision, which tests/architecture/test_documents.py repeats",
    "mermaid": "a picture",
    "sql": "the tables of a read model, generated from the code that creates them",
    "json": "what is in a file or a message",
    "ini": "a unit of systemd, which this machine need not have",
    "nginx": "the settings of a proxy, which this machine need not have",
    "yaml": "the settings of Prometheus, which this machine need not have",
    "text": "commands for another machine, or for longer than a test; each is named below",
}
"""Languages of blocks that are not run, with the reason."""

NOT_RUN: dict[str, str] = {}
"""The commands in blocks of `text`, with the reason why no test runs them."""

RUN_PAGES = [page for page in PAGES if any(block.language in RUN for block in blocks(page))]


@pytest.mark.slow
@pytest.mark.parametrize("page", RUN_PAGES, ids=name)
def test_the_commands_of_a_page_do_what_it_says(page: Path, tmp_path: Path) -> None:
    with Terminal(tmp_path) as terminal:
        for block in blocks(page):
            if "stop" in block.directives:
                terminal.stop()
            if "sources" in block.directives:
                terminal.copy_sources()
            if block.language in RUN:
                first, typed = commands(block)
                if first:
                    terminal.goes_on(first)
                for command in typed:
                    terminal.run(command.text, command.printed, shape="shape" in block.directives)


@pytest.mark.parametrize("page", PAGES, ids=name)
def test_a_block_is_run_or_it_is_said_why_not(page: Path) -> None:
    for block in blocks(page):
        assert block.language in {*RUN, *SHOWN}, f"{block.page}:{block.line}: nobody knows what {block.language} is"
        if block.language == "text":
            for line in block.lines:
                assert line in NOT_RUN, f"{block.page}:{block.line}: no test runs `{line}`, and it is not said why"


def test_no_reason_is_left_over() -> None:
    shown = {line for page in PAGES for block in blocks(page) if block.language == "text" for line in block.lines}
    assert shown == set(NOT_RUN)
