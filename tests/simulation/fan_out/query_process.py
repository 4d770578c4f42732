"""A query process with caches. Batches are announced some time after their commit, or never if the worker died."""

from __future__ import annotations

from collections import deque
from collections.abc import Callable, Sequence
from typing import NamedTuple

from events.ids import AccountId
from events.log import Positions, Record
from runtime.distributed.models.caches import Memory, outdated
from stores.groups import HOME
from stores.home_timelines import HomeTimelines

Muted = Callable[[AccountId], frozenset[AccountId]]


class Applied(NamedTuple):
    """A batch, as it is told of."""

    start: Positions
    end: Positions
    names: list[str]


class QueryProcess:
    """What it remembers, and how far it knows the timelines to be."""

    def __init__(self, timelines: Callable[[Muted], HomeTimelines]) -> None:
        self._muted: Muted = lambda account: frozenset()
        self._seen_muted: dict[AccountId, frozenset[AccountId]] = {}
        self.memory = Memory(timelines(lambda account: self._muted(account)))
        self.known = Positions()
        self._untold: deque[Applied] = deque()

    def applied(self, start: Positions, end: Positions, records: Sequence[Record]) -> None:
        """A worker announces a batch. The announcement arrives later."""
        self._untold.append(Applied(start, end, list(outdated(HOME, records))))

    def hear(self) -> None:
        """Hear of the next batch. One that begins where nobody said that another ended follows on something unheard."""
        if self._untold:
            start, end, names = self._untold.popleft()
            missed = any(self.known.get(place, 0) < offset for place, offset in start.items())
            self.memory.forget(HOME, None if missed else names)
            self.known = self.known.merged(end)

    def look(self, noted: Positions) -> None:
        """Hear of everything, and then look into the store: of what is there beyond, nobody told."""
        while self._untold:
            self.hear()
        if not self.known.covers(noted):
            self.memory.forget(HOME, None)
            self.known = self.known.merged(noted)

    def timelines(self, muted: Muted, viewers: Sequence[AccountId]) -> HomeTimelines:
        """What it reads, when all that is known of mutes is this."""
        self._muted = muted
        now = {viewer: muted(viewer) for viewer in viewers}
        self.memory.timelines.changed([v for v in viewers if now[v] != self._seen_muted.get(v, frozenset())])
        self._seen_muted = now
        return self.memory.timelines
