"""How far the read models are behind the log, in events and in seconds."""

from __future__ import annotations

from collections import deque
from collections.abc import Callable
from math import inf

from events.log import Positions, lag

from .applied import Applied

BEHIND_S = 5.0
"""A group is behind when it has not applied an event that was appended so long ago."""
_STAMP_S = 0.05
_LOOK_S = 0.25
_MOST_STAMPS = 4000


class Lag:
    """Remembers where the log ended at moments 50 ms apart, so that what is not applied has an age."""

    def __init__(self, applied: Applied, ends: Callable[[], Positions], timer: Callable[[], float]) -> None:
        self._applied = applied
        self._ends = ends
        self._timer = timer
        # What was appended before the process started is as old as the process, at least.
        self._stamps: deque[tuple[float, Positions]] = deque([(timer(), Positions(ends()))], maxlen=_MOST_STAMPS)
        self._behind: dict[str, tuple[float, bool]] = {}

    def appended(self) -> None:
        """Something was appended."""
        now = self._timer()
        if self._stamps and now - self._stamps[-1][0] < _STAMP_S:
            now = self._stamps.pop()[0]
        self._stamps.append((now, Positions(self._ends())))

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

    def behind(self, group: str) -> bool:
        """Whether a group is more than BEHIND_S behind the log. Computed a few times a second: every read asks."""
        now = self._timer()
        at, known = self._behind.get(group, (-inf, False))
        if now - at >= _LOOK_S:
            known = self.seconds(group) > BEHIND_S
            self._behind[group] = now, known
        return known

    def detail(self) -> str:
        """Which groups are behind and how far; empty where none is."""
        return "; ".join(
            f"{group} is {self.events(group):,} events and {self.seconds(group):.0f} s behind the log"
            for group in self._applied.positions
            if self.seconds(group) > BEHIND_S
        )
