"""The sessions that ended while their access tokens may still be in use.

Access tokens are valid for minutes, so only sessions that ended within that time are stored: a few thousand at worst.
If the command side runs in this process, its commits update `RecentRevocations` at once. Another process polls the
store every few seconds, behind the same port.
"""

from __future__ import annotations

from collections import OrderedDict
from typing import Protocol

from events.ids import Millis, SessionId


class Revocations(Protocol):
    """The ended sessions, in memory, because it is asked once for each signed-in request."""

    def is_revoked(self, session: SessionId) -> bool:
        """Return whether the session ended. Stays True at least as long as its access tokens are valid."""
        ...


class RecentRevocations:
    """The sessions that ended in the last `keep_ms`, in memory; about 150 bytes each."""

    def __init__(self, keep_ms: int) -> None:
        self.keep_ms = keep_ms
        self._ended: OrderedDict[SessionId, Millis] = OrderedDict()

    def add(self, session: SessionId, at: Millis) -> None:
        """Add a session that ended at `at`, and drop sessions that ended before the last `keep_ms`."""
        self._ended[session] = at
        while self._ended:
            oldest, ended_at = next(iter(self._ended.items()))
            if ended_at > at - self.keep_ms:
                break
            del self._ended[oldest]

    def is_revoked(self, session: SessionId) -> bool:
        """Return whether the session ended in the last `keep_ms`."""
        return session in self._ended
