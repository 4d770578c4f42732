"""The directory of the second copy that `minitwitter verify` makes: private, and removed afterwards.

The copy has texts in the clear. If `verify` is killed, the next `verify` or `serve` removes it.
"""

from __future__ import annotations

import fcntl
import shutil
import tempfile
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

_PREFIX = "verify-"
_BEGINS_S = 60.0
"""Seconds: an unlocked directory of this age was left behind. A new one is locked just after it is made."""


@contextmanager
def second_copy(directory: Path) -> Iterator[Path]:
    """Make a directory for the copy in the data directory. It is locked as long as it is in use."""
    place = Path(tempfile.mkdtemp(prefix=_PREFIX, dir=directory))
    try:
        with (place / "lock").open("w") as lock:
            fcntl.flock(lock, fcntl.LOCK_EX)
            yield place
    finally:
        shutil.rmtree(place, ignore_errors=True)


def remove_leftovers(directory: Path) -> None:
    """Remove the copies of processes that have ended."""
    for place in directory.glob(f"{_PREFIX}*"):
        try:
            with (place / "lock").open() as lock:
                fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except FileNotFoundError:
            if time.time() - place.stat().st_mtime < _BEGINS_S:
                continue
        except OSError:  # it is in use, or we may not remove it
            continue
        shutil.rmtree(place, ignore_errors=True)
