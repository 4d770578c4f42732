"""Estimates how many events fit into a turn of a given length."""

from __future__ import annotations


class Pace:
    """Learns from the turns so far how many events fit into a turn."""

    def __init__(self) -> None:
        self._per_event = 0.0002

    def limit(self, seconds: float) -> int:
        """Return the number of events that take about `seconds`."""
        return min(5000, max(8, int(seconds / self._per_event)))

    def learn(self, events: int, seconds: float) -> None:
        """Add a turn: its number of events, and its duration."""
        if events:
            self._per_event = max(1e-6, 0.7 * self._per_event + 0.3 * seconds / events)
