"""Starts the server under test, reads its state, and stops it."""

from __future__ import annotations

import re
import socket
import subprocess
import sys
import time
import urllib.error
import urllib.request
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path


class Served:
    """A running server."""

    def __init__(self, port: int, pid: int) -> None:
        self.port = port
        self.pid = pid
        self.url = f"http://127.0.0.1:{port}"

    def read(self, path: str, token: str | None = None) -> bytes:
        """Return the body of a GET."""
        request = urllib.request.Request(self.url + path)  # noqa: S310  # our own server
        if token is not None:
            request.add_header("authorization", f"Bearer {token}")
        with urllib.request.urlopen(request, timeout=30) as answer:  # noqa: S310
            body: bytes = answer.read()
            return body

    def metric(self, name: str) -> float:
        """Return the sum of a metric over its labels."""
        text = self.read("/metrics").decode()
        return sum(float(value) for value in re.findall(rf"^{name}(?:{{[^}}]*}})? (\S+)$", text, re.MULTILINE))

    def lag_events(self) -> float:
        """Return the number of events that some read model has not applied yet."""
        return self.metric("minitwitter_projector_lag_events")

    def lag_seconds(self) -> float:
        """Return the age of the oldest event that is not applied everywhere."""
        text = self.read("/metrics").decode()
        found = re.findall(r"^minitwitter_projector_lag_seconds{[^}]*} (\S+)$", text, re.MULTILINE)
        return max(float(value) for value in found)

    def wait_until_current(self, most_s: float = 300) -> float:
        """Wait until every read model is current; return the seconds."""
        started = time.perf_counter()
        while self.lag_events() > 0:
            if time.perf_counter() - started > most_s:
                raise TimeoutError("the read models do not become current")
            time.sleep(0.05)
        return time.perf_counter() - started

    def memory_mib(self) -> float:
        """Return the resident memory of the server and all its processes."""
        return sum(_resident_kib(pid) for pid in (self.pid, *_children(self.pid))) / 1024


def _children(pid: int) -> list[int]:
    found = []
    for task in Path(f"/proc/{pid}/task").iterdir():
        children = [int(child) for child in (task / "children").read_text().split()]
        found += children
        for child in children:
            found += _children(child)
    return found


def _resident_kib(pid: int) -> int:
    found = re.search(r"^VmRSS:\s+(\d+)", Path(f"/proc/{pid}/status").read_text(), re.MULTILINE)
    return int(found[1]) if found else 0


def free_port() -> int:
    """Return a free port."""
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])


@contextmanager
def served(data: Path, constants: Path) -> Iterator[Served]:
    """Run a server on a data directory inside the block, once it is ready."""
    port = free_port()
    command = [sys.executable, "-m", "bench.server", "--data", str(data), "--port", str(port)]
    process = subprocess.Popen([*command, "--constants", str(constants)])  # noqa: S603
    server = Served(port, process.pid)
    try:
        for _ in range(600):
            try:
                server.read("/readyz")
                break
            except (urllib.error.URLError, ConnectionError):
                if process.poll() is not None:
                    raise RuntimeError("the server ended while it started") from None
                time.sleep(0.05)
        yield server
    finally:
        process.terminate()
        process.wait(20)
