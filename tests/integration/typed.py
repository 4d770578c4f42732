"""Run commands in this process and capture output and exit code. That saves a second for each process."""

from __future__ import annotations

import logging
import os
from collections.abc import Iterator
from contextlib import contextmanager
from typing import NamedTuple

import pytest

from runtime.cli import main


@contextmanager
def logging_as_before() -> Iterator[None]:
    """Restore the logging settings that a command changes, for the other tests of this process."""
    root, disabled = logging.getLogger(), logging.root.manager.disable
    handlers, level = root.handlers[:], root.level
    try:
        yield
    finally:
        root.handlers[:] = handlers
        root.setLevel(level)
        logging.disable(disabled)


class Ended(NamedTuple):
    """The exit code and the output of a command."""

    code: object
    out: str
    err: str


class Typing:
    """A command line for tests."""

    def __init__(self, monkeypatch: pytest.MonkeyPatch, capfd: pytest.CaptureFixture[str]) -> None:
        self._monkeypatch = monkeypatch
        self._capfd = capfd

    def __call__(self, *words: object) -> Ended:
        """Run `minitwitter` with these arguments."""
        self._monkeypatch.setattr(os, "nice", lambda by: by)  # an import is polite, and its process has more to do here
        self._monkeypatch.setattr("sys.argv", ["minitwitter", *map(str, words)])
        with pytest.raises(SystemExit) as ended, logging_as_before():
            main()
        out, err = self._capfd.readouterr()
        return Ended(ended.value.code or 0, out, err)
