"""Starting a module of this software as a child process."""

from __future__ import annotations

import os
import sys
from pathlib import Path

_ROOT = str(Path(__file__).parents[1])


def command(module: str) -> list[str]:
    """Return the command that runs a module. Modules of the working directory are not imported."""
    return [sys.executable, "-P", "-m", module]


def environment() -> dict[str, str]:
    """Return this process's environment, extended so that the child imports the same software."""
    return {**os.environ, "PYTHONPATH": os.pathsep.join(filter(None, (_ROOT, os.environ.get("PYTHONPATH", ""))))}


def cores() -> int:
    """Return the number of processors that this process may use."""
    return len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1
