"""The processes of engines: they outlive this process, are found again by any process, and are stopped with their
children.

Linux only: running processes are read from /proc.
"""

from __future__ import annotations

import os
import signal
import subprocess
import time
from collections.abc import Iterable
from contextlib import suppress
from pathlib import Path

import msgspec

from .engine import EngineProcess

POLL_S = 0.05
_KILLED_S = 10.0


class StartedProcess(msgspec.Struct, frozen=True):
    """A started process, identified by its number and its start time, because numbers are reused."""

    pid: int
    began: str
    stop_s: float
    stop_signal: int

    def runs(self) -> bool:
        """Return whether it still runs and is the same one."""
        return _began(self.pid) == self.began


def spawn(server: EngineProcess) -> StartedProcess:
    """Start a server; it writes to server.log in its directory."""
    server.directory.mkdir(parents=True, exist_ok=True)
    argv = list(server.argv)
    if server.user is not None and os.geteuid() == 0:
        argv = ["setpriv", f"--reuid={server.user}", f"--regid={server.user}", "--init-groups", "--", *argv]
    with (server.directory / "server.log").open("ab") as log:
        started = subprocess.Popen(  # noqa: S603
            argv,
            cwd=server.directory,
            env={**os.environ, **server.environment},
            stdin=subprocess.DEVNULL,
            stdout=log,
            stderr=log,
            start_new_session=True,  # Ctrl-C here must not reach it
        )
    started.returncode = 0  # otherwise Python warns that the process still runs, which is intended
    return StartedProcess(started.pid, _began(started.pid) or "", server.stop_s, int(server.stop_signal))


def stop(processes: Iterable[StartedProcess]) -> bool:
    """Ask processes to end, all at once, and kill those that take too long; return whether any of them ran."""
    running = [process for process in processes if process.runs()]
    for process in running:
        _signal(process.pid, process.stop_signal)
    for process in running:
        if not _gone([process], process.stop_s):
            kill([process])
    return bool(running)


def kill(processes: Iterable[StartedProcess]) -> None:
    """Kill processes and their children, as a power failure would.

    PostgreSQL does not start while a process of the previous server exists.
    """
    families = [member for process in processes if process.runs() for member in _family(process)]
    for member in families:
        _signal(member.pid, signal.SIGKILL)
    _gone(families, _KILLED_S)


def _signal(pid: int, number: int) -> None:
    with suppress(ProcessLookupError):  # it has just ended by itself
        os.kill(pid, number)


def _gone(processes: Iterable[StartedProcess], seconds: float) -> bool:
    deadline = time.monotonic() + seconds
    for process in processes:
        while process.runs():
            if time.monotonic() > deadline:
                return False
            time.sleep(POLL_S)
    return True


def _family(process: StartedProcess) -> list[StartedProcess]:
    """Return a process and all its descendants."""
    children: dict[int, list[int]] = {}
    for path in Path("/proc").glob("[0-9]*/stat"):
        fields = _fields(int(path.parent.name))
        if fields is not None:
            children.setdefault(int(fields[1]), []).append(int(path.parent.name))
    family, found = [], [process.pid]
    while found:
        pid = found.pop()
        family.append(StartedProcess(pid, _began(pid) or "", 0, 0))
        found += children.get(pid, [])
    return family


def _fields(pid: int) -> list[str] | None:
    """Return the fields of /proc/PID/stat from the third on (proc(5)); None if there is no such process."""
    try:
        return Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()
    except (FileNotFoundError, ProcessLookupError):
        return None


def _began(pid: int) -> str | None:
    """Return the start time of a running process, in ticks of this boot; None if none runs. Reaps an ended child."""
    fields = _fields(pid)
    if fields is None:
        return None
    if fields[0] in "ZX" and int(fields[17]) <= 1:  # a process whose threads are still ending keeps its ports
        with suppress(ChildProcessError):  # a child of another process
            os.waitpid(pid, os.WNOHANG)
        return None
    return f"{Path('/proc/sys/kernel/random/boot_id').read_text().strip()} {fields[19]}"
