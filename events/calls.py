"""Calls to engines: the adapters that make them say how long each took and whether it was answered.

Process-wide, as logging is: a composition root sets who listens, and without one nobody does.
"""

from __future__ import annotations

import time
from collections.abc import Callable
from typing import Literal

Engine = Literal["cassandra", "kafka", "postgres", "redis", "s3"]
Listener = Callable[[Engine, float, bool], None]


def _nobody(engine: Engine, seconds: float, answered: bool) -> None:
    pass


_listener: Listener = _nobody


def listen(listener: Listener) -> None:
    """Have each call told to `listener`: the engine, seconds, and whether it was answered."""
    global _listener
    _listener = listener


def called(engine: Engine, started: float, *, answered: bool) -> None:
    """A call that began at `started` (of `time.perf_counter`) has ended. An error of the caller's is an answer."""
    _listener(engine, time.perf_counter() - started, answered)
