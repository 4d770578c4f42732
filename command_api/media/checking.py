"""Check media in child processes, so that a malicious file can at worst end one child.

Decoding a picture of a few hundred bytes can take gigabytes or minutes. images.py refuses pictures whose header states
too many pixels or frames. For all others, the operating system limits memory and CPU time of the child, which gets no
secret from our environment. A child starts with the first file, checks one file after the other, and is replaced when
it dies.
"""

from __future__ import annotations

import asyncio
import contextlib
import os
import subprocess
import sys
import threading
from concurrent.futures import ThreadPoolExecutor
from queue import SimpleQueue

import msgspec

from .child import CPU_S, CheckResult, read_message, write_message
from .errors import TooManyPixels, TooManyUploads, UnsupportedMedia
from .judging import Checked

LONGEST_S = 10 * CPU_S
"""Seconds that a file may take on a busy machine, where CPU_S of CPU time take longer."""


class Checking:
    """Checks `threads` media at once, each in its own child process; `waiting` more may queue."""

    def __init__(self, *, most_pixels: int, threads: int, waiting: int, longest_s: float = LONGEST_S) -> None:
        self._most = threads + waiting
        self._in_hand = 0
        self._free: SimpleQueue[Child] = SimpleQueue()
        self.children = [Child(most_pixels, longest_s) for _ in range(threads)]
        for child in self.children:
            self._free.put(child)
        self._pool = ThreadPoolExecutor(threads, thread_name_prefix="media")

    async def check(self, content: bytes) -> Checked:
        """Check a file. Raises UnsupportedMedia, TooManyPixels, TooManyUploads."""
        if self._in_hand >= self._most:
            raise TooManyUploads("too many uploads at once; try again in a few seconds")
        self._in_hand += 1
        future = asyncio.get_running_loop().run_in_executor(self._pool, self._check, content)
        future.add_done_callback(self._done)  # counted until then, even if the caller is cancelled
        return await asyncio.shield(future)

    def _check(self, content: bytes) -> Checked:
        child = self._free.get()
        try:
            return child.check(content)
        finally:
            self._free.put(child)

    def _done(self, future: asyncio.Future[Checked]) -> None:
        self._in_hand -= 1
        if not future.cancelled():
            future.exception()  # marks the error as retrieved: a cancelled caller does not read it

    def close(self) -> None:
        """End the child processes and the threads; drop queued files."""
        self._pool.shutdown(wait=False, cancel_futures=True)
        for child in self.children:
            child.kill()
        self._pool.shutdown(wait=True)


class Child:
    """A child process that checks media, started for the first file. One thread uses it at a time."""

    def __init__(self, most_pixels: int, longest_s: float) -> None:
        self._most_pixels = most_pixels
        self._longest_s = longest_s
        self._process: subprocess.Popen[bytes] | None = None

    @property
    def pid(self) -> int | None:
        """The process id, or None if no process runs."""
        return None if self._process is None else self._process.pid

    def check(self, content: bytes) -> Checked:
        """Check a file. Raises UnsupportedMedia, TooManyPixels."""
        if self._process is not None and self._process.poll() is not None:
            self._end()
        process = self._process = self._process or self._started()
        watchdog = threading.Timer(self._longest_s, process.kill)
        watchdog.start()
        try:
            assert process.stdin is not None
            assert process.stdout is not None
            write_message(process.stdin, content)
            answer = msgspec.msgpack.decode(read_message(process.stdout), type=CheckResult)
        except (EOFError, OSError):
            self._end()
            raise UnsupportedMedia("checking this file takes more memory or time than allowed") from None
        finally:
            watchdog.cancel()
            watchdog.join()
        if answer.refused == "pixels":
            raise TooManyPixels(answer.detail)
        if answer.refused:
            raise UnsupportedMedia(answer.detail)
        return Checked(answer.content_type, answer.content, answer.width, answer.height)

    def _started(self) -> subprocess.Popen[bytes]:
        kept = {name: os.environ[name] for name in ("PATH", "LANG", "LC_ALL") if name in os.environ}
        return subprocess.Popen(  # noqa: S603  our own module
            [sys.executable, "-m", "command_api.media.child", str(self._most_pixels)],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=subprocess.DEVNULL,
            env={**kept, "PYTHONPATH": os.pathsep.join(filter(None, sys.path))},
            start_new_session=True,  # so that Ctrl-C reaches the server alone, which then ends the child
        )

    def kill(self) -> None:
        """End the process; the file that it checks is refused."""
        process = self._process
        if process is not None:
            process.kill()
            self._end()

    def _end(self) -> None:
        process, self._process = self._process, None
        if process is None:
            return
        process.kill()
        process.wait()
        for pipe in (process.stdin, process.stdout):
            if pipe is not None:
                with contextlib.suppress(OSError):  # closing flushes, and the process does not read any more
                    pipe.close()
