"""The output at a terminal: a line for each request, and progress bars with amount, rate and remaining time."""

from __future__ import annotations

import io
import json
import logging
import os
import pty
import re
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from pathlib import Path

import httpx
import pytest
import rich.console
import structlog

from events.log import LogUnavailable
from runtime.cli.options import progress
from runtime.cli.rebuild import _named
from runtime.cli.status import _shown
from runtime.readiness import Part
from runtime.settings import Settings
from runtime.status import Disk, GroupStatus, ModelStatus, Status
from runtime.telemetry import RequestTelemetry, configure, logger
from tests.integration.running import LONGEST_START_S, ROOT, environment
from tests.integration.typed import Typing, logging_as_before

CLOCK = r"\d\d:\d\d:\d\d"


@pytest.fixture
def logged(capsys: pytest.CaptureFixture[str]) -> Iterator[Callable[[], list[str]]]:
    """The lines that are logged; the logging of before is put back in the end."""
    with logging_as_before():
        yield lambda: capsys.readouterr().err.splitlines()
    logging.getLogger("minitwitter.requests").setLevel(logging.NOTSET)
    structlog.reset_defaults()


def _happened() -> None:
    logger("minitwitter.serve").info("serving", url="http://127.0.0.1:8000")
    RequestTelemetry().request("an id", "GET", "/api/v1/feed", 200, 0.0032)
    RequestTelemetry().request("an id", "GET", "/api/v1/feed", 503, 0.0032)
    try:
        raise ValueError("a slip")
    except ValueError as error:
        RequestTelemetry().fault("an id", error)


def test_a_person_reads_words_and_a_line_for_each_request(logged: Callable[[], list[str]]) -> None:
    configure("info", "serve", words=True)
    _happened()
    serving, served, not_served, fault, *trace = logged()
    assert re.fullmatch(rf"{CLOCK}  serving  url=http://127.0.0.1:8000", serving)
    assert re.fullmatch(rf"{CLOCK} GET    /api/v1/feed 200 3.2 ms", served)
    assert re.fullmatch(rf"{CLOCK}  WARNING  not served  .*route=/api/v1/feed  status=503", not_served)
    assert re.fullmatch(rf"{CLOCK}  ERROR  a request failed", fault)
    assert trace[-1] == "ValueError: a slip"


def test_a_path_without_a_route_is_shown_bounded_and_escaped(logged: Callable[[], list[str]]) -> None:
    configure("info", "serve", words=True)
    telemetry = RequestTelemetry()
    telemetry.request("an id", "GET", "unmatched", 404, 0.001, "/api/v1/feeed")
    telemetry.request("an id", "GET", "unmatched", 404, 0.001, "/\x1b[2J\n" + "a" * 500)
    mistyped, hostile = logged()
    assert re.fullmatch(rf"{CLOCK} GET    /api/v1/feeed 404 1.0 ms", mistyped)
    assert re.fullmatch(rf"{CLOCK} GET    /\\x1b\[2J\\na+ 404 1.0 ms", hostile)
    assert len(hostile) < 150


def test_a_program_reads_json_and_no_line_for_a_request_that_went_well(logged: Callable[[], list[str]]) -> None:
    configure("info", "serve")
    _happened()
    events = [json.loads(line)["event"] for line in logged()]
    assert events == ["serving", "not served", "a request failed"]


def test_whoever_wants_warnings_only_gets_no_line_for_each_request(logged: Callable[[], list[str]]) -> None:
    configure("warning", "serve", words=True)
    _happened()
    assert not [line for line in logged() if " 200 " in line]


def test_a_progress_bar_shows_amount_total_rate_and_remaining_time(monkeypatch: pytest.MonkeyPatch) -> None:
    out = io.StringIO()
    real = rich.console.Console
    monkeypatch.setattr(
        rich.console, "Console", lambda **options: real(file=out, force_terminal=True, width=100, color_system=None)
    )
    with progress(quiet=False) as bars:
        task = bars.add_task(_named(("users", "graph", "tweets")), total=29_000)
        bars.advance(task, 12_000)
        bars.refresh()
    assert "users and 2 more" in out.getvalue()
    assert re.search(r"12,000/29,000 events +[\d,]+/s", out.getvalue())


def test_one_model_is_called_by_its_name() -> None:
    assert _named(("users",)) == "users"


def test_a_narrow_terminal_cuts_nothing_off() -> None:
    """A position that is half shown cannot be typed, and a figure that is half shown is wrong."""
    detail = "timelines is 12,345 events and 61 s behind the log [by its own account]"
    group = GroupStatus("analytics", "degraded", detail, 12_345, 61.0, 1_234, [ModelStatus("user_timelines", 3, "5")])
    found = Status("embedded", "degraded", [Part("read models", "degraded", detail)], [group], disk=Disk("d", 1, {}))
    out = io.StringIO()
    rich.console.Console(file=out, width=40, color_system=None).print(*_shown(found), sep="\n")
    assert "…" not in out.getvalue()
    assert max(map(len, out.getvalue().splitlines())) <= 40
    assert "[by its own" in out.getvalue()


def test_watching_reports_an_unavailable_part_and_continues(
    monkeypatch: pytest.MonkeyPatch, capfd: pytest.CaptureFixture[str]
) -> None:
    there = Status("embedded", "ready", [], [])
    looks: Iterator[Status | BaseException] = iter(
        [there, LogUnavailable("the disk says no"), there, KeyboardInterrupt()]
    )

    async def look(settings: Settings) -> Status:
        found = next(looks)
        if isinstance(found, BaseException):
            raise found
        return found

    monkeypatch.setattr("runtime.cli.status._status", look)
    monkeypatch.setattr("runtime.cli.status.EVERY_S", 0)
    ended = Typing(monkeypatch, capfd)("status", "--watch")
    assert (ended.code, ended.err) == (130, "minitwitter: the disk says no\n")
    assert [json.loads(line)["state"] for line in ended.out.splitlines()] == ["ready", "ready"]


@pytest.mark.slow
def test_on_a_terminal_serve_prints_a_line_for_each_request(tmp_path: Path) -> None:
    ours, theirs = pty.openpty()
    command = [sys.executable, "-m", "runtime.cli", "serve", "--data", str(tmp_path / "data"), "--port", "0"]
    with subprocess.Popen(command, stdout=theirs, stderr=theirs, env=environment(), cwd=ROOT) as serving:
        os.close(theirs)
        try:
            url = _seen(ours, r"serves on (\S+)")
            assert httpx.get(f"{url}/healthz").status_code == 200
            _seen(ours, rf"{CLOCK} GET    /healthz 200 [\d.]+ ms")
        finally:
            serving.terminate()
            serving.wait(30)
            os.close(ours)


def _seen(terminal: int, pattern: str) -> str:
    """Wait until the terminal shows something; its first group, or all of it."""
    shown, deadline = "", time.monotonic() + LONGEST_START_S
    while time.monotonic() < deadline:
        shown += os.read(terminal, 65536).decode()
        if found := re.search(pattern, shown):
            return found[found.re.groups and 1]
    raise AssertionError(shown)
