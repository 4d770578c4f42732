"""A circuit breaker: after Kafka failed one caller, the next callers fail at once instead of waiting as well.

Closed, it admits every caller. Open, it admits one caller in each `pause_s`, as a probe. A probe that succeeds closes
the breaker; a probe that fails keeps it open. If a probe reports nothing, the next one is admitted `pause_s` later. (M.
Nygard, Release It!, 2007.)
"""

from __future__ import annotations

from collections.abc import Callable


class Breaker:
    """The state of the circuit. `timer` returns seconds and never goes back."""

    def __init__(self, pause_s: float, timer: Callable[[], float]) -> None:
        self._pause_s = pause_s
        self._timer = timer
        self._next_probe: float | None = None

    @property
    def is_open(self) -> bool:
        """Whether the breaker is open."""
        return self._next_probe is not None

    def admits(self) -> bool:
        """Return whether the caller may call Kafka. While the breaker is open, True makes the caller the probe."""
        if self._next_probe is None:
            return True
        now = self._timer()
        if now < self._next_probe:
            return False
        self._next_probe = now + self._pause_s
        return True

    def succeeded(self) -> None:
        """Close the breaker: Kafka answered."""
        self._next_probe = None

    def failed(self) -> None:
        """Open the breaker, or keep it open: Kafka did not answer."""
        self._next_probe = self._timer() + self._pause_s
