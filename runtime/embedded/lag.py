"""How far the read models are behind the log, in events and in seconds."""

from __future__ import annotations

from collections import deque
from collections.abc import Callable

from events.log import Positions, lag

from .applied import Applied

_STAMP_S = 0.05
_MOST_STAMPS = 4000


class Lag:
    """Remembers where the log ended at moments 50 ms apart, so that what is not applied has an age."""

    def __init__(self, applied: Applied, ends: Callable[[], Positions], timer: Callable[[], float]) -> None:
        self._applied = applied
        self._ends = ends
        self._timer = timer
        self._stamps: deque[tuple[float, Positions]] = deque(maxlen=_MOST_STAMPS)

    def appended(self) -> None:
        """Something was appended."""
        now = self._timer()
        if not self._stamps or now - self._stamps[-1][0] >= _STAMP_S:
            self._stamps.append((now, self._ends()))

    def events(self, group: str) -> int:
        """Events that a group has not applied."""
        return lag(self._ends(), self._applied.positions[group])

    def seconds(self, group: str) -> float:
        """Seconds since the oldest append that a group has not applied, to 50 ms; 0 when it is current."""
        if not self.events(group):
            return 0.0
        now = self._timer()
        while self._stamps and all(p.covers(self._stamps[0][1]) for p in self._applied.positions.values()):
            self._stamps.popleft()
        positions = self._applied.positions[group]
        oldest = next((at for at, ends in self._stamps if not positions.covers(ends)), now)
        return now - oldest
