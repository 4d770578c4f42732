"""Which sessions ended while access tokens of theirs may still be in use.

A session's access tokens live for minutes, so only the sessions ended within that time have to be remembered: a few
thousand at worst. Where the command side runs in this process its commits feed `RecentRevocations` at once; another
process reads the same list from the store every few seconds, behind the same port.
"""

from __future__ import annotations

from collections import OrderedDict
from typing import Protocol

from events.ids import Millis, SessionId


class Revocations(Protocol):
    """Asked once for each signed-in request, so it answers from memory."""

    def is_revoked(self, session: SessionId) -> bool:
        """Whether the session ended; True for at least as long as its access tokens could be used."""
        ...


class RecentRevocations:
    """The sessions that ended in the last `keep_ms`, in memory; about 150 bytes each."""

    def __init__(self, keep_ms: int) -> None:
        self.keep_ms = keep_ms
        self._ended: OrderedDict[SessionId, Millis] = OrderedDict()

    def add(self, session: SessionId, at: Millis) -> None:
        """A session ended at `at`; those that ended too long before to matter are let go."""
        self._ended[session] = at
        while self._ended:
            oldest, ended_at = next(iter(self._ended.items()))
            if ended_at > at - self.keep_ms:
                break
            del self._ended[oldest]

    def is_revoked(self, session: SessionId) -> bool:
        """Whether the session ended lately."""
        return session in self._ended
