"""Report calls to engines: adapters report how long each call took and whether the engine answered.

There is one listener for the whole process, as in logging. The composition root sets it; without one, reports are
dropped.
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
    """Report each call to `listener`: the engine, the duration in seconds, and whether the engine answered."""
    global _listener
    _listener = listener


def called(engine: Engine, started: float, *, answered: bool) -> None:
    """Report a call that began at `started` (`time.perf_counter`). A refusal of the request counts as answered."""
    _listener(engine, time.perf_counter() - started, answered)
