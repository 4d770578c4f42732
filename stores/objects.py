"""The port of the object store: whole files by key, and signed addresses for direct access by clients.

Clients upload under keys that begin with `incoming/`. Finished objects have other keys and are never changed.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import NamedTuple, Protocol

from events.ids import Millis

HOUR_MS = 3_600_000


class Upload(NamedTuple):
    """A form to be posted as multipart/form-data to `url`: the `fields` first, then the file as `file`."""

    url: str
    fields: Mapping[str, str]


class Objects(Protocol):
    """The object store. Every adapter must pass tests/contracts/test_objects.py."""

    def upload(self, key: str, content_type: str, most_bytes: int, until: Millis) -> Upload:
        """Return a form that puts one object of this key and type, of 1 to `most_bytes` bytes, until the time `until`.

        The store refuses any other upload. If the form is sent twice, the second content replaces the first.
        """
        ...

    def link(self, key: str, now: Millis) -> str:
        """Return an address at which anyone can read an object for one to two hours. It stays the same for an hour."""
        ...

    async def write(self, key: str, content_type: str, content: bytes) -> None:
        """Write an object. It is durable when this returns. Raises StoreUnavailable."""
        ...

    async def read(self, key: str, most_bytes: int) -> bytes | None:
        """Return the bytes of an object; None if it does not exist or is longer than `most_bytes`.

        Raises StoreUnavailable.
        """
        ...

    async def delete(self, key: str) -> None:
        """Remove an object, if it exists. Raises StoreUnavailable."""
        ...

    async def prepare(self) -> None:
        """Create the bucket or directory that writes need. Raises StoreUnavailable."""
        ...

    def close(self) -> None:
        """Release connections and other resources."""
        ...


def hour_of(now: Millis) -> Millis:
    """Return the start of the hour. Links are made as of then, so that clients can cache them."""
    return Millis(now // HOUR_MS * HOUR_MS)
