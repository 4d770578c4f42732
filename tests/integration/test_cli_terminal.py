"""The command line as a person meets it: help at 80 columns, the version, completion, errors of one style."""

from __future__ import annotations

import itertools
import re
import subprocess
import sys
from collections.abc import Iterator
from importlib.metadata import version

import pytest
import typer

from runtime import cli
from tests.integration.running import ROOT, environment
from tests.integration.typed import Typing


@pytest.fixture
def typed(monkeypatch: pytest.MonkeyPatch, capfd: pytest.CaptureFixture[str]) -> Typing:
    monkeypatch.setenv("COLUMNS", "80")
    return Typing(monkeypatch, capfd)


def commands(command: object = None, words: tuple[str, ...] = ()) -> Iterator[tuple[str, ...]]:
    """Every command of the command line, as it is typed."""
    command = command or typer.main.get_command(cli.build())
    children = getattr(command, "commands", {})
    if not children:
        yield words
    for name, child in children.items():
        yield from commands(child, (*words, name))


@pytest.mark.parametrize("words", [*commands()], ids=" ".join)
def test_help_breaks_its_lines_where_the_terminal_does(typed: Typing, words: tuple[str, ...]) -> None:
    """A line that ends early is the last of its paragraph: the next word would not have fitted."""
    ended = typed(*words, "--help")
    assert ended.code == 0
    prose = ended.out.split("╭")[0].splitlines()
    assert all(len(line) <= 80 for line in ended.out.splitlines())
    for line, following in itertools.pairwise(prose):
        if line.strip() and following.strip():
            assert len(line.rstrip()) + 1 + len(following.split()[0]) > 78, line


def test_the_version_is_that_of_the_package(typed: Typing) -> None:
    assert typed("--version").out == f"minitwitter {version('minitwitter')}\n"


@pytest.mark.parametrize("shell", ["bash", "zsh", "fish"])
def test_shells_are_told_how_to_complete(shell: str) -> None:
    named = {"_TYPER_COMPLETE_TEST_DISABLE_SHELL_DETECTION": "1"}  # else the shell above the tests decides
    done = subprocess.run(
        [sys.executable, "-m", "runtime.cli", "--show-completion", shell],
        env={**environment(), **named},
        cwd=ROOT,
        capture_output=True,
        text=True,
        check=False,
    )
    assert "_MINITWITTER_COMPLETE" in done.stdout, done.stderr


def test_commands_are_completed() -> None:
    asked = {"_MINITWITTER_COMPLETE": "complete_bash", "COMP_WORDS": "minitwitter events t", "COMP_CWORD": "2"}
    done = subprocess.run(
        [sys.executable, "-m", "runtime.cli"],
        env={**environment(), **asked},
        cwd=ROOT,
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.stdout.split() == ["tail"]


@pytest.mark.parametrize(
    ("words", "error"),
    [
        (("evnts",), "no such command 'evnts'. Did you mean 'events'?"),
        (("serve", "--prot", "1"), "no such option: --prot"),
        (("serve", "--port", "x"), "--port: "),
        (("serve", "nothing"), "side: "),
        (("events", "show"), "missing argument 'ID'"),
        (("rebuild",), "name read models, or pass --all"),
        (("import", "tweets", "/no/such/file.csv"), "there is no file /no/such/file.csv"),
    ],
)
def test_every_error_is_a_line_that_begins_with_the_program(typed: Typing, words: tuple[str, ...], error: str) -> None:
    ended = typed(*words)
    assert ended.code == 2
    assert ended.out == ""
    first, *hint = ended.err.splitlines()
    assert first.lower().startswith(f"minitwitter: {error.lower()}")
    assert all(re.fullmatch("Try: minitwitter.* --help", line) for line in hint)
    assert len(hint) <= 1


def test_a_command_without_its_second_word_shows_its_help(typed: Typing) -> None:
    ended = typed("events")
    assert ended.code == 2
    assert "tail" in ended.out + ended.err
    assert "minitwitter: " not in ended.err
