"""The port of the object store: whole files by key, and signed addresses by which clients reach them directly.

What clients upload comes under a key below `incoming/`; what is finished lies elsewhere, and is never changed.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import NamedTuple, Protocol

from events.ids import Millis

HOUR_MS = 3_600_000


class Upload(NamedTuple):
    """A form to be posted as multipart/form-data to `url`: these fields first, then the file as `file`."""

    url: str
    fields: Mapping[str, str]


class Objects(Protocol):
    """Keeps objects. tests/contracts/test_objects.py is what every adapter must pass."""

    def upload(self, key: str, content_type: str, most_bytes: int, until: Millis) -> Upload:
        """A form that puts one object of this key and type, not empty and no longer than this, until then.

        The store itself refuses everything else. Sent twice, the second content replaces the first.
        """
        ...

    def link(self, key: str, now: Millis) -> str:
        """An address at which whoever has it can read an object for one to two hours; the same for an hour."""
        ...

    async def write(self, key: str, content_type: str, content: bytes) -> None:
        """Put an object; durable when this returns. Raises StoreUnavailable."""
        ...

    async def read(self, key: str, most_bytes: int) -> bytes | None:
        """An object whole; None where there is none, or one that is longer. Raises StoreUnavailable."""
        ...

    async def delete(self, key: str) -> None:
        """Remove an object, if it is there. Raises StoreUnavailable."""
        ...

    async def prepare(self) -> None:
        """Make what there has to be before anything is written. Raises StoreUnavailable."""
        ...

    def close(self) -> None:
        """Let go of what it holds."""
        ...


def hour_of(now: Millis) -> Millis:
    """When the hour began: links are made as of then, so that they can be cached."""
    return Millis(now // HOUR_MS * HOUR_MS)
