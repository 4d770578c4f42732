"""A circuit breaker: once Kafka has failed a caller, the next ones are told so at once instead of waiting too.

Closed, everyone is admitted. Open, one caller in each `pause_s` is, as a probe: who succeeds closes it, who fails
keeps it open. A probe that is never heard of again costs nothing but the next pause. (M. Nygard, Release It!, 2007.)
"""

from __future__ import annotations

from collections.abc import Callable


class Breaker:
    """`timer` counts seconds and never goes back."""

    def __init__(self, pause_s: float, timer: Callable[[], float]) -> None:
        self._pause_s = pause_s
        self._timer = timer
        self._next_probe: float | None = None

    @property
    def is_open(self) -> bool:
        """Whether callers are turned away."""
        return self._next_probe is not None

    def admits(self) -> bool:
        """Whether a caller may try now; while open, whoever is told so is the probe."""
        if self._next_probe is None:
            return True
        now = self._timer()
        if now < self._next_probe:
            return False
        self._next_probe = now + self._pause_s
        return True

    def succeeded(self) -> None:
        """Kafka answered."""
        self._next_probe = None

    def failed(self) -> None:
        """Kafka did not answer."""
        self._next_probe = self._timer() + self._pause_s
