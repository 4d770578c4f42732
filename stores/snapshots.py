"""The port of snapshots: several reads of one request that see one state."""

from __future__ import annotations

from contextlib import AbstractContextManager
from typing import Protocol


class Snapshots(Protocol):
    """Makes reads see one state of the read models, where the engine can; elsewhere it does nothing."""

    def __call__(self) -> AbstractContextManager[None]:
        """A block whose reads belong together. Nothing but reads may be awaited in it."""
        ...
