"""Subjects' keys, as a log that is written from many machines fetches them: the port, and the error of its adapters.

A subject's key is made durable before anything is sealed with it, so that whatever stands in the log can be opened.
"""

from __future__ import annotations

from collections.abc import Iterable
from typing import Protocol

from .log import LogUnavailable
from .sealing import Sealer


class KeysUnavailable(LogUnavailable):
    """The key store cannot be reached: what is sealed cannot be read now, so whoever reads pauses."""


class Keys(Protocol):
    """Fetches subjects' keys for the sealer it was made with, and makes them."""

    @property
    def sealer(self) -> Sealer:
        """Who is shown the keys."""
        ...

    async def fetch(self, subjects: Iterable[str]) -> None:
        """Show the sealer those keys it has not seen, in one query; subjects that have none are left out.

        Raises KeysUnavailable.
        """
        ...

    async def create(self, subject: str) -> None:
        """Make the key of a new subject, durably, and show it to the sealer. One that has a key keeps it.

        Raises KeysUnavailable.
        """
        ...
