"""The directory of the second copy that `minitwitter verify` makes: readable by its owner alone, gone afterwards.

The copy has texts in the clear. What a killed one left is removed by the next `verify` or `serve`.
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
"""How old a directory without a lock has to be before it is one that was left: it is locked just after it is made."""


@contextmanager
def second_copy(directory: Path) -> Iterator[Path]:
    """A directory for it within the data directory, locked as long as it is in use."""
    place = Path(tempfile.mkdtemp(prefix=_PREFIX, dir=directory))
    try:
        with (place / "lock").open("w") as lock:
            fcntl.flock(lock, fcntl.LOCK_EX)
            yield place
    finally:
        shutil.rmtree(place, ignore_errors=True)


def remove_leftovers(directory: Path) -> None:
    """Remove the copies that nobody works on any more."""
    for place in directory.glob(f"{_PREFIX}*"):
        try:
            with (place / "lock").open() as lock:
                fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except FileNotFoundError:
            if time.time() - place.stat().st_mtime < _BEGINS_S:
                continue
        except OSError:  # it is in use, or not ours to remove
            continue
        shutil.rmtree(place, ignore_errors=True)
