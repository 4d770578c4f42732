"""The port for subjects' keys when several machines write the log, and the error of its adapters.

A subject's key is stored durably before anything is sealed with it, so everything in the log can be opened.
"""

from __future__ import annotations

from collections.abc import Iterable
from typing import Protocol

from .log import LogUnavailable
from .sealing import Sealer


class KeysUnavailable(LogUnavailable):
    """The key store cannot be reached. Sealed fields cannot be read now, so readers pause."""


class Keys(Protocol):
    """Fetches and creates subjects' keys for one sealer."""

    @property
    def sealer(self) -> Sealer:
        """The sealer that receives the keys."""
        ...

    async def fetch(self, subjects: Iterable[str]) -> None:
        """Give the sealer the keys that it lacks, in one query. Subjects without a key are left out.

        Raises KeysUnavailable.
        """
        ...

    async def create(self, subject: str) -> None:
        """Create the key of a new subject, durably, and give it to the sealer. An existing key stays.

        Raises KeysUnavailable.
        """
        ...
