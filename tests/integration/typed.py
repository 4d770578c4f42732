"""Commands typed in this process: what they print and how they end, without the second that a process takes."""

from __future__ import annotations

import os
from typing import NamedTuple

import pytest

from runtime.cli import main


class Ended(NamedTuple):
    """How a command ended: its exit code, and what it printed."""

    code: object
    out: str
    err: str


class Typing:
    """A command line to type commands at."""

    def __init__(self, monkeypatch: pytest.MonkeyPatch, capfd: pytest.CaptureFixture[str]) -> None:
        self._monkeypatch = monkeypatch
        self._capfd = capfd

    def __call__(self, *words: object) -> Ended:
        """Type `minitwitter` and some words."""
        self._monkeypatch.setattr(os, "nice", lambda by: by)  # an import is polite, and its process has more to do here
        self._monkeypatch.setattr("sys.argv", ["minitwitter", *map(str, words)])
        with pytest.raises(SystemExit) as ended:
            main()
        out, err = self._capfd.readouterr()
        return Ended(ended.value.code or 0, out, err)
