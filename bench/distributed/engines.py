"""The engines under test: of this run's own, in a directory that is gone afterwards, or given by their URLs."""

from __future__ import annotations

import shutil
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import NamedTuple

from infra.local import catalogue
from infra.local.packages import cache_directory
from infra.local.running import Running


class Engines(NamedTuple):
    """Where each engine is."""

    kafka: str
    postgres: str
    cassandra: str
    redis: str


@contextmanager
def own_engines() -> Iterator[Engines]:
    """Fresh engines on free ports, killed and removed at the end. Raises EngineError."""
    directory = Path(tempfile.mkdtemp(prefix="minitwitter-bench-engines-"))
    directory.chmod(0o755)  # PostgreSQL is another user
    running = Running(directory, cache_directory())
    try:
        yield Engines(*(running.up(catalogue.engine(name)).url for name in Engines._fields))
    finally:
        for name in Engines._fields:
            running.kill(name)  # nobody will ask for the data
        shutil.rmtree(directory, ignore_errors=True)
