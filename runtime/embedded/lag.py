"""The lag of the read models, and the time from a commit to its application."""

from __future__ import annotations

from collections import deque
from collections.abc import Callable, Mapping
from math import inf

from events.log import Positions, TopicPartition
from runtime.embedded.read_positions import ReadPositions
from runtime.lag import BEHIND_S, Behind, Ends, told, total

_LOOK_S = 0.25
_MOST_COMMITS = 10_000


class Lag:
    """Compares the ends of the log with the positions of each group. `applied_after` receives a group and seconds."""

    def __init__(self, applied: ReadPositions, ends: Callable[[], Positions], timer: Callable[[], float]) -> None:
        self._applied = applied
        self._ends = ends
        self._timer = timer
        self._log = Ends(timer)
        self._log.note(ends())
        self._behind: dict[str, tuple[float, bool]] = {}
        self._commits: dict[str, deque[tuple[float, Positions]]] = {
            group: deque(maxlen=_MOST_COMMITS) for group in applied.positions
        }
        self.applied_after: Callable[[str, float], None] = lambda group, seconds: None
        applied.on_advance.append(self._advanced)

    def appended(self) -> None:
        """Note that something was appended."""
        ends = Positions(self._ends())
        self._log.note(ends)
        commit = self._timer(), ends
        for commits in self._commits.values():
            commits.append(commit)

    def _advanced(self, group: str, positions: Positions) -> None:
        commits, now = self._commits[group], self._timer()
        while commits and positions.covers(commits[0][1]):
            self.applied_after(group, now - commits.popleft()[0])
        self._log.forget(self._applied.positions.values())

    def by_place(self, group: str) -> Mapping[TopicPartition, Behind]:
        """Return the lag of a group in each partition; its seconds are exact to 50 ms."""
        self._log.note(self._ends())
        return self._log.behind(self._applied.positions[group])

    def of(self, group: str) -> Behind:
        """Return the total lag of a group."""
        return total(self.by_place(group))

    def behind(self, group: str) -> bool:
        """Return whether a group is more than BEHIND_S behind the log. Computed a few times a second, because every
        read asks.
        """
        now = self._timer()
        at, known = self._behind.get(group, (-inf, False))
        if now - at >= _LOOK_S:
            known = self.of(group).seconds > BEHIND_S
            self._behind[group] = now, known
        return known

    def detail(self) -> str:
        """Return which groups are behind and how far; empty if none is."""
        return "; ".join(filter(None, (told(group, self.of(group)) for group in self._applied.positions)))
