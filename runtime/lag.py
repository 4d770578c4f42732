"""The lag behind the log, in events and in seconds, by partition."""

from __future__ import annotations

from collections import deque
from collections.abc import Callable, Collection, Iterable, Mapping
from typing import NamedTuple

from events.log import Positions, TopicPartition
from runtime.quantities import counted

BEHIND_S = 5.0
"""Seconds: a group is behind if it has not applied an event that was appended so long ago."""


class Behind(NamedTuple):
    """The number of events that are not applied, and the seconds since the oldest was appended; both 0 if there are
    none.
    """

    events: int = 0
    seconds: float = 0.0


class Ends:
    """Remembers the ends of the log at times `apart_s` apart, to tell the age of events that are not applied.

    The age of earlier events is unknown: they count as BEHIND_S older than the first remembered time. So a process that
    starts far behind reports it at once. If there are more than `most` times, every second one is dropped, and ages are
    rounded up.
    """

    def __init__(self, timer: Callable[[], float], *, apart_s: float = 0.05, most: int = 4000) -> None:
        self._timer = timer
        self._apart_s = apart_s
        self._most = most
        self._stamps: deque[tuple[float, Positions]] = deque()
        self._forgotten = Positions()

    def note(self, ends: Mapping[TopicPartition, int]) -> None:
        """Store the ends of the log as of now."""
        now = self._timer() if self._stamps else self._timer() - self._unknown_s
        if self._stamps and now - self._stamps[-1][0] < self._apart_s:
            now = self._stamps.pop()[0]
        self._stamps.append((now, Positions(ends)))
        if len(self._stamps) > self._most:
            stamps = list(self._stamps)
            # Of each pair, keep the time of the first and the ends of the second.
            self._stamps = deque((a[0], b[1]) for a, b in zip(stamps[::2], [*stamps[1::2], stamps[-1]], strict=False))

    @property
    def _unknown_s(self) -> float:
        return BEHIND_S + self._apart_s

    @property
    def latest(self) -> Positions:
        """Return the ends that were stored last."""
        return self._stamps[-1][1] if self._stamps else Positions()

    def behind(
        self, reached: Mapping[TopicPartition, int], topics: Collection[str] | None = None
    ) -> dict[TopicPartition, Behind]:
        """Return the lag of each partition (of `topics` alone, if given) behind these ends."""
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
        """Drop the times whose ends all of these positions have passed."""
        passed = [Positions(positions) for positions in reached]
        while len(self._stamps) > 1 and all(positions.covers(self._stamps[0][1]) for positions in passed):
            self._forgotten = self._stamps.popleft()[1]


def total(behind: Mapping[TopicPartition, Behind]) -> Behind:
    """Return the sum of all partitions' events, and the age of the oldest."""
    return Behind(
        sum(each.events for each in behind.values()), max((each.seconds for each in behind.values()), default=0.0)
    )


def told(group: str, behind: Behind) -> str:
    """Return a sentence about a group that is BEHIND_S or more behind; else an empty text."""
    if behind.seconds <= BEHIND_S:
        return ""
    return f"{group} is {counted(behind.events, 'event')} and {behind.seconds:.0f} s behind the log"
