"""Turns of a given length: how many events they may have."""

from __future__ import annotations


class Pace:
    """How many events fit into a turn of a given length, learned from the turns so far."""

    def __init__(self) -> None:
        self._per_event = 0.0002

    def limit(self, seconds: float) -> int:
        """Events that take about `seconds`."""
        return min(5000, max(8, int(seconds / self._per_event)))

    def learn(self, events: int, seconds: float) -> None:
        """A turn of so many events took so long."""
        if events:
            self._per_event = max(1e-6, 0.7 * self._per_event + 0.3 * seconds / events)
