"""Media are checked in processes that are bounded, replaced when they die, and know no secrets."""

from __future__ import annotations

import asyncio
import os
import signal
import subprocess
import sys
import threading
from collections.abc import Iterator
from pathlib import Path

import pytest

from command_api.media.checking import Checking, Child
from command_api.media.errors import TooManyPixels, TooManyUploads, UnsupportedMedia
from tests import pictures

PIXELS = 100_000


@pytest.fixture
def child() -> Iterator[Child]:
    made = Child(PIXELS, 60)
    yield made
    made.kill()


def test_a_process_judges_one_file_after_the_other(child: Child) -> None:
    checked = child.check(pictures.jpeg(6))
    assert (checked.content_type, checked.width, checked.height) == ("image/jpeg", 20, 40)
    pid = child.pid
    with pytest.raises(UnsupportedMedia, match="not a JPEG"):
        child.check(b"nothing")
    with pytest.raises(TooManyPixels, match="1,000 x 1,000"):
        child.check(pictures.saved(pictures.image(1000, 1000), "PNG"))
    assert child.check(pictures.mp4()).content_type == "video/mp4"
    assert child.pid == pid


def test_a_process_that_dies_is_replaced(child: Child) -> None:
    child.check(pictures.png())
    assert child.pid is not None
    os.kill(child.pid, signal.SIGKILL)
    os.waitid(os.P_PID, child.pid, os.WEXITED | os.WNOWAIT)
    assert child.check(pictures.png()).content_type == "image/png"


def test_a_file_that_takes_too_long_is_refused_and_its_process_ended() -> None:
    child = Child(PIXELS, 0.0)
    with pytest.raises(UnsupportedMedia, match="memory or time"):
        child.check(pictures.png())
    assert child.pid is None


@pytest.mark.skipif(not Path("/proc/self/limits").exists(), reason="limits are told in /proc")
def test_a_process_has_limits_of_its_own_and_no_secrets(child: Child, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("MINITWITTER_TOKEN_SECRET", "told to nobody")
    child.check(pictures.png())
    lines = Path(f"/proc/{child.pid}/limits").read_text().splitlines()
    limits = {line[:26].strip(): line[26:47].strip() for line in lines}
    assert int(limits["Max address space"]) == (512 << 20) + 16 * PIXELS
    assert int(limits["Max cpu time"]) < 30
    assert b"told to nobody" not in Path(f"/proc/{child.pid}/environ").read_bytes()


def test_memory_beyond_the_limit_is_a_refusal(monkeypatch: pytest.MonkeyPatch) -> None:
    """A picture within a bound on pixels that was set far too high: the system still refuses the memory."""
    child = Child(1_000_000, 120)
    code = "import command_api.media.child as c; c.check = lambda *a: bytearray(4 << 30); c.main()"
    monkeypatch.setattr(child, "_started", lambda: _process(code))
    with pytest.raises(UnsupportedMedia, match="memory or time"):
        child.check(pictures.png())
    child.kill()


def _process(code: str) -> subprocess.Popen[bytes]:
    return subprocess.Popen([sys.executable, "-c", code, "1000000"], stdin=subprocess.PIPE, stdout=subprocess.PIPE)


async def test_no_more_files_wait_than_were_said(monkeypatch: pytest.MonkeyPatch) -> None:
    held = threading.Event()
    check = Child.check

    def slow(child: Child, content: bytes) -> object:
        assert held.wait(30)
        return check(child, content)

    monkeypatch.setattr(Child, "check", slow)
    files = Checking(most_pixels=PIXELS, threads=1, waiting=1)
    try:
        tasks = [asyncio.ensure_future(files.check(pictures.png())) for _ in range(2)]
        await asyncio.sleep(0)
        with pytest.raises(TooManyUploads):
            await files.check(pictures.png())
        held.set()
        assert [(await task).content_type for task in tasks] == ["image/png"] * 2
        assert (await files.check(pictures.gif())).content_type == "image/gif"
    finally:
        held.set()
        files.close()


async def test_closing_ends_the_processes() -> None:
    files = Checking(most_pixels=PIXELS, threads=2, waiting=8)
    await asyncio.gather(*(files.check(pictures.png()) for _ in range(4)))
    pids = [child.pid for child in files.children if child.pid is not None]
    assert pids
    files.close()
    for pid in pids:
        with pytest.raises(ProcessLookupError):
            os.kill(pid, 0)
