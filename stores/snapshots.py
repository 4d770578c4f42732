"""The port of snapshots: several reads of one request that see the same state."""

from __future__ import annotations

from contextlib import AbstractContextManager
from typing import Protocol


class Snapshots(Protocol):
    """Makes reads see one state of the read models, if the engine can. On other engines it does nothing."""

    def __call__(self) -> AbstractContextManager[None]:
        """Return a context manager. The reads inside see one state. Nothing but reads may be awaited inside."""
        ...
