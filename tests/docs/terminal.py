"""A terminal in an empty directory, in which a page's commands are typed one after the other.

Commands that go on until Ctrl-C (a server, a stream) run beside the others, as in a terminal of their own.
"""

from __future__ import annotations

import os
import re
import select
import shutil
import signal
import socket
import subprocess
import sys
import time
from pathlib import Path

from tests.docs.pages import ROOT

LONGEST_S = 90
_GOES_ON = re.compile(r"^(make run\b|minitwitter serve\b|curl -sN\b)")
_ADDRESS = "127.0.0.1:8000"
_SERVES = "...\nMiniTwitter serves on ..."
_DONE = re.compile(rb"\n--- done (\d+) (\d*) ---\n\Z")

_MASKS = (
    (r"\b[0-9a-f]{8}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{12}\b", "<id>"),
    (r"\b\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d(\.\d+)?(Z|\+00:00)", "<time>"),
    (r"\beyJ[\w-]+\.[\w-]+\.[\w-]+", "<token>"),
    (r"(?<![\w/.-])(?=[\w-]*[0-9])(?=[\w-]*[A-Z])[\w-]{20,}", "<token>"),
    (r"\b\d+(\.\d+)? (ms|s)\b", "<duration>"),
    (r'"seconds": [\d.]+', '"seconds": <duration>'),
    (r"\bmaster key [0-9a-f]{12}\b", "master key <name>"),
    (r"(?m)\b(same|DIFFERENT) +\d+$", r"\1 <ms>"),
    (r"[ \t\r]+", " "),
    (r"(?m) $", ""),
)
"""What is another each time, and runs of spaces: columns are as wide as what is in them."""

_SHAPE = (
    (r'": ?"[^"]*"', '": <text>'),
    (r"(?<![\w.])-?\d[\d,]*(\.\d+)?(?!\w)", "<number>"),
)
"""What is another each time in the demo community, which is made up from a seed and the time of day."""


def goes_on(command: str) -> bool:
    """Whether a command goes on until Ctrl-C."""
    return _GOES_ON.match(command) is not None


class Unexpected(AssertionError):
    """A command failed, or printed something else than the page says."""


def masked(text: str, *, shape: bool = False) -> str:
    """The text without what differs from run to run; of its `shape` alone, without any texts and numbers."""
    for pattern, replacement in (*_MASKS, *(_SHAPE if shape else ())):
        text = re.sub(pattern, replacement, text)
    return text.strip("\n")


def pattern_of(printed: str, *, shape: bool = False) -> re.Pattern[str]:
    """What a page shows, as a pattern: `...` stands for anything, on a line of its own for any lines."""
    parts = []
    for line in masked(printed, shape=shape).split("\n"):
        if line.strip() == "...":
            parts.append(r"(?:[^\n]*\n)*?")
        else:
            parts.append(".*?".join(map(re.escape, line.split("..."))) + r"\n")
    return re.compile("".join(parts))


def prints(page: str, printed: str, *, shape: bool = False) -> bool:
    """Whether what was printed is what the page shows."""
    return pattern_of(page, shape=shape).fullmatch(masked(printed, shape=shape) + "\n") is not None


class GoingOn:
    """A command that goes on until it is stopped; what it prints is in a file."""

    def __init__(self, text: str, pid: int, out: Path) -> None:
        self.text = text
        self.shown: list[str] = []
        """What the page has shown of it so far."""
        self._pid = pid
        self._out = out

    def printed(self) -> str:
        """What it has printed so far."""
        return self._out.read_text()

    def running(self) -> bool:
        """Whether it goes on."""
        try:
            os.kill(self._pid, 0)
        except ProcessLookupError:
            return False
        return True

    def stop(self) -> None:
        """End it, as Ctrl-C does. (A shell's background commands do not hear that one.)"""
        if self.running():
            os.kill(self._pid, signal.SIGTERM)
        deadline = time.monotonic() + 30
        while self.running():
            if time.monotonic() > deadline:
                os.kill(self._pid, signal.SIGKILL)
                raise Unexpected(f"$ {self.text}\ndid not stop")
            time.sleep(0.02)


class Terminal:
    """A bash that remembers its variables and directory, from `with` to its end."""

    def __init__(self, place: Path) -> None:
        self.directory = place / "project"
        self.directory.mkdir(parents=True)
        self._place = place
        self._programs = place / "bin"
        self._port = _free_port()
        self._terminals = 1
        self._going_on: list[GoingOn] = []
        self._sources(ROOT)
        self._bash = subprocess.Popen(
            ["bash", "--norc", "--noprofile"],
            cwd=self.directory,
            env={
                "PATH": f"{self._programs}:{os.environ['PATH']}",
                "HOME": str(place),
                "LANG": "C.UTF-8",
                "COLUMNS": "120",
                "MINITWITTER_PORT": str(self._port),
                "PYTHONDONTWRITEBYTECODE": "1",
            },
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
        )
        assert self._bash.stdin is not None
        assert self._bash.stdout is not None
        self._stdin, self._stdout = self._bash.stdin, self._bash.stdout

    def __enter__(self) -> Terminal:
        return self

    def __exit__(self, *exc: object) -> None:
        try:
            self.stop()
        finally:
            self._bash.kill()
            self._bash.wait()
            self._stdin.close()
            self._stdout.close()

    def _sources(self, directory: Path) -> None:
        """The programs that a page calls, as an activated virtual environment has them."""
        self._programs.mkdir(exist_ok=True)
        for name, module in (("minitwitter", "-m runtime.cli"), ("python", "")):
            program = self._programs / name
            program.write_text(f'#!/bin/sh\nPYTHONPATH="{directory}" exec "{sys.executable}" -P {module} "$@"\n')
            program.chmod(0o755)

    def copy_sources(self) -> None:
        """Put a copy of the project here, for pages that change it."""
        command = ["git", "ls-files", "--cached", "--others", "--exclude-standard", "-z"]
        listed = subprocess.run(command, cwd=ROOT, capture_output=True, check=True)
        for name in filter(None, listed.stdout.decode().split("\0")):
            if (ROOT / name).is_file():
                (self.directory / name).parent.mkdir(parents=True, exist_ok=True)
                shutil.copy(ROOT / name, self.directory / name)
        self._sources(self.directory)

    def write(self, path: str, text: str, *, append: bool = False) -> None:
        """Put a file here, or add to one."""
        file = self.directory / path
        file.parent.mkdir(parents=True, exist_ok=True)
        before = file.read_text() if append else ""
        file.write_text(before + text)

    def apply(self, diff: str) -> None:
        """Change files as a diff says. Raises Unexpected where it does not fit."""
        command = ["git", "apply", "--unidiff-zero", "-"]
        done = subprocess.run(command, cwd=self.directory, input=diff, capture_output=True, text=True, check=False)
        if done.returncode:
            raise Unexpected(f"the change does not fit: {done.stderr}\n{diff}")

    def _here(self, text: str) -> str:
        """A command as it is typed here: another port, and nothing outside of this place."""
        text = text.replace(_ADDRESS, f"127.0.0.1:{self._port}")
        return text.replace("/media/safe", str(self._place / "safe"))

    def _there(self, text: str) -> str:
        """What was printed here as it is printed where the page was written."""
        text = text.replace(f"127.0.0.1:{self._port}", _ADDRESS)
        return text.replace(str(self._place / "safe"), "/media/safe").replace(f"{self.directory}/", "")

    def _type(self, text: str) -> tuple[int, str, str]:
        """Type a command; its exit code, the process that it left behind if any, and what it printed."""
        self._stdin.write(f"{self._here(text)}\nprintf '\\n--- done %d %s ---\\n' $? $!\n".encode())
        self._stdin.flush()
        printed = b""
        deadline = time.monotonic() + LONGEST_S
        while not (found := _DONE.search(printed)):
            ready, _, _ = select.select([self._stdout], [], [], max(0, deadline - time.monotonic()))
            if not ready:
                raise Unexpected(f"$ {text}\nis not done after {LONGEST_S} s; so far it printed\n{printed.decode()}")
            part = os.read(self._stdout.fileno(), 65536)
            if not part:
                raise Unexpected(f"$ {text}\nended the shell")
            printed += part
        return int(found[1]), found[2].decode(), self._there(printed[: found.start()].decode())

    def run(self, text: str, page: str | None, *, shape: bool = False) -> str:
        """Run a command, which has to succeed and to print what the page shows. Raises Unexpected."""
        if goes_on(text):
            self._terminals += 1
            out = self._place / f"printed-{self._terminals}"
            command = _recipe("run") if text.startswith("make run") else text
            out.touch()
            _, pid, _ = self._type(f'{command} > "{out}" 2>>"{self._place}/errors" &')
            self._going_on.append(GoingOn(text, int(pid), out))
            return self.goes_on(page or ("..." if text.startswith("curl") else _SERVES))
        code, _, printed = self._type(text)
        if code:
            raise Unexpected(f"$ {text}\nfailed with {code}:\n{printed}")
        if page is not None and not prints(page, printed, shape=shape):
            raise Unexpected(f"$ {text}\nprinted\n{masked(printed)}\nand not\n{masked(page)}")
        return printed

    def goes_on(self, page: str) -> str:
        """Wait until the command that was started last, and goes on, has printed what the page shows so far."""
        command = self._going_on[-1]
        command.shown.append(page)
        page = "\n".join(command.shown)
        deadline = time.monotonic() + LONGEST_S
        while True:
            running, printed = command.running(), self._there(command.printed())
            if prints(page, printed):
                return printed
            if not running or time.monotonic() > deadline:
                raise Unexpected(f"$ {command.text}\nprinted\n{masked(printed)}\nand not\n{masked(page)}")
            time.sleep(0.02)

    def stop(self) -> None:
        """Stop everything that goes on, the newest first."""
        while self._going_on:
            self._going_on.pop().stop()


def _recipe(target: str) -> str:
    """The last line of a target's recipe in the Makefile, with the variables that it has if nobody sets them."""
    makefile = (ROOT / "Makefile").read_text()
    found = re.search(rf"^{target}:.*\n(?:\t.*\n)*\t@?(?:exec )?(.*)\n", makefile, re.MULTILINE)
    assert found is not None
    variables = dict(re.findall(r"^([A-Z]+) \?= (.*)$", makefile, re.MULTILINE))
    # The port is in the environment here, and an option would win.
    text = found[1].replace("$(BIN)/", "").replace(' --port "$(PORT)"', "")
    return re.sub(r"\$\(([A-Z]+)\)", lambda match: variables[match[1]], text)


def _free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])
