"""How far something is behind the log, in events and in seconds, by partition."""

from __future__ import annotations

from collections import deque
from collections.abc import Callable, Collection, Iterable, Mapping
from typing import NamedTuple

from events.log import Positions, TopicPartition
from runtime.quantities import counted

BEHIND_S = 5.0
"""A group is behind when it has not applied an event that was appended so long ago."""


class Behind(NamedTuple):
    """Events that are not applied, and seconds since the oldest of them was appended; both 0 when there are none."""

    events: int = 0
    seconds: float = 0.0


class Ends:
    """Remembers where the log ended at moments `apart_s` apart, so that what is not applied has an age.

    Nobody knows the age of what stood there before the log was watched, or was forgotten since: it counts as BEHIND_S
    older than what is remembered, so that who starts far behind, or loses what it had, says so at once. `most` bounds
    how many moments are remembered; when there are more, every second one is dropped, and ages are rounded up to the
    one before.
    """

    def __init__(self, timer: Callable[[], float], *, apart_s: float = 0.05, most: int = 4000) -> None:
        self._timer = timer
        self._apart_s = apart_s
        self._most = most
        self._stamps: deque[tuple[float, Positions]] = deque()
        self._forgotten = Positions()

    def note(self, ends: Mapping[TopicPartition, int]) -> None:
        """The log ends here now."""
        now = self._timer() if self._stamps else self._timer() - self._unknown_s
        if self._stamps and now - self._stamps[-1][0] < self._apart_s:
            now = self._stamps.pop()[0]
        self._stamps.append((now, Positions(ends)))
        if len(self._stamps) > self._most:
            stamps = list(self._stamps)
            # Of each two the time of the first and the ends of the second.
            self._stamps = deque((a[0], b[1]) for a, b in zip(stamps[::2], [*stamps[1::2], stamps[-1]], strict=False))

    @property
    def _unknown_s(self) -> float:
        return BEHIND_S + self._apart_s

    @property
    def latest(self) -> Positions:
        """Where the log ended when it was noted last."""
        return self._stamps[-1][1] if self._stamps else Positions()

    def behind(
        self, reached: Mapping[TopicPartition, int], topics: Collection[str] | None = None
    ) -> dict[TopicPartition, Behind]:
        """How far each partition of the log (of `topics` alone, if given) is ahead of what was reached."""
        now = self._timer()
        found: dict[TopicPartition, Behind] = {}
        open_: dict[TopicPartition, int] = {}
        for place, end in self.latest.items():
            if topics is None or place.topic in topics:
                events = end - reached.get(place, 0)
                found[place] = Behind(max(0, events))
                if events > 0:
                    open_[place] = events
        for place in [place for place in open_ if self._forgotten.get(place, 0) > reached.get(place, 0)]:
            found[place] = Behind(open_.pop(place), now - self._stamps[0][0] + self._unknown_s)
        for at, ends in self._stamps:
            if not open_:
                break
            for place in [place for place in open_ if ends.get(place, 0) > reached.get(place, 0)]:
                found[place] = Behind(open_.pop(place), now - at)
        return found

    def forget(self, reached: Iterable[Mapping[TopicPartition, int]]) -> None:
        """Drop the moments that all of these have passed."""
        passed = [Positions(positions) for positions in reached]
        while len(self._stamps) > 1 and all(positions.covers(self._stamps[0][1]) for positions in passed):
            self._forgotten = self._stamps.popleft()[1]


def total(behind: Mapping[TopicPartition, Behind]) -> Behind:
    """All events of all partitions, and the age of the oldest."""
    return Behind(
        sum(each.events for each in behind.values()), max((each.seconds for each in behind.values()), default=0.0)
    )


def told(group: str, behind: Behind) -> str:
    """A sentence, for a group that is BEHIND_S or more behind; else empty."""
    if behind.seconds <= BEHIND_S:
        return ""
    return f"{group} is {counted(behind.events, 'event')} and {behind.seconds:.0f} s behind the log"
