"""Load by wrk, which costs little beside a server: one thread, and a given number of connections."""

from __future__ import annotations

import re
import subprocess
from collections.abc import Sequence
from pathlib import Path
from typing import NamedTuple

from infra.local.packages import debian

SCRIPTS = Path(__file__).parent
LONGEST_S = 64
"""Seconds of the longest run before a server counts as dead."""


class LoadFailed(Exception):
    """The load could not be generated, or the server refused some of it."""


class Load(NamedTuple):
    """The result of wrk: requests a second, and the 50th and 99th percentile in ms."""

    per_second: float
    p50_ms: float
    p99_ms: float


def wrk(url: str, script: str, arguments: Sequence[object], *, connections: int = 64, seconds: int = 10) -> Load:
    """Run a script of this folder against a server. Raises LoadFailed if any answer was not 2xx.

    A run without any answer is repeated, twice as long, up to LONGEST_S: a short run on a slow machine still measures
    something.
    """
    while (load := _run(url, script, arguments, connections, seconds)) is None:
        if seconds >= LONGEST_S:
            raise LoadFailed(f"nothing was answered within {seconds} s")
        seconds = min(2 * seconds, LONGEST_S)
    return load


def _run(url: str, script: str, arguments: Sequence[object], connections: int, seconds: int) -> Load | None:
    """Run wrk once; return None if nothing was answered."""
    options = ["-t1", f"-c{connections}", f"-d{seconds}s", "--latency", "-s", str(SCRIPTS / script)]
    command = [debian("wrk", "wrk"), *options, url, "--"]
    done = subprocess.run([*command, *map(str, arguments)], capture_output=True, text=True, check=False)  # noqa: S603
    out = done.stdout
    rate = re.search(r"Requests/sec:\s+([\d.]+)", out)
    if done.returncode or rate is None:
        raise LoadFailed(f"wrk failed: {done.stderr or out}")
    if "Non-2xx" in out or "Socket errors" in out:
        raise LoadFailed(f"the server did not answer all requests well:\n{out}")
    if float(rate[1]) == 0:
        return None
    return Load(float(rate[1]), _percentile(out, 50), _percentile(out, 99))


def _percentile(out: str, percent: int) -> float:
    found = re.search(rf"^\s+{percent}%\s+([\d.]+)(us|ms|s)", out, re.MULTILINE)
    assert found is not None
    return float(found[1]) * {"us": 0.001, "ms": 1.0, "s": 1000.0}[found[2]]
