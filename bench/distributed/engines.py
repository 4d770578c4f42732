"""The engines of a run: started for it in a temporary directory, or given by their URLs."""

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
    """The addresses of the engines."""

    kafka: str
    postgres: str
    cassandra: str
    redis: str


@contextmanager
def own_engines() -> Iterator[Engines]:
    """Start fresh engines on free ports; kill and remove them at the end. Raises EngineError."""
    directory = Path(tempfile.mkdtemp(prefix="minitwitter-bench-engines-"))
    directory.chmod(0o755)  # PostgreSQL runs as another user
    running = Running(directory, cache_directory())
    try:
        yield Engines(*(running.up(catalogue.engine(name)).url for name in Engines._fields))
    finally:
        for name in Engines._fields:
            running.kill(name)  # the data is not needed any more
        shutil.rmtree(directory, ignore_errors=True)
