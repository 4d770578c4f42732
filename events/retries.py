"""Retries: the one place that waits between attempts, gives up, and logs an outage.

A `Backoff` says how long to wait. `retrying` calls something until it succeeds. A loop that never returns, such as a
listener, keeps an `Outage` instead and asks it for each wait.

Waits are jittered: when an engine comes back, the processes that wait for it do not all ask at the same moment.
"""

from __future__ import annotations

import logging
from asyncio import sleep
from collections.abc import Awaitable, Callable
from dataclasses import dataclass
from random import random
from time import monotonic
from typing import TypeVar

T = TypeVar("T")

JITTER = 0.3
"""The largest fraction by which a wait is shortened. A wait is never longer than declared."""

_log = logging.getLogger(__name__)


@dataclass(frozen=True, slots=True)
class Backoff:
    """Waits between attempts, in seconds, each shortened at random by up to JITTER.

    Attempts end with the last wait, unless it `repeats`. They also end `within_s` seconds after the first of them
    began.
    """

    waits_s: tuple[float, ...]
    repeats: bool = True
    within_s: float = float("inf")

    def wait_s(self, failures: int, since: float) -> float | None:
        """Return the wait after some failures of attempts that began at `since` (monotonic); None to give up."""
        if monotonic() - since >= self.within_s or (not self.repeats and failures > len(self.waits_s)):
            return None
        wait_s = self.waits_s[min(failures, len(self.waits_s)) - 1]
        return wait_s * (1 - JITTER * random())  # noqa: S311  # jitter guards no secret


ENGINE = Backoff((0.1, 0.2, 0.5, 1.0, 2.0))
"""Waits for an unavailable engine, without a limit."""


class Outage:
    """The failures of one operation since its last success. `what` names it in the log; without a name nothing is
    logged.

    The first failure and the next success are logged, and no failure in between.
    """

    def __init__(self, backoff: Backoff, what: str = "") -> None:
        self._backoff = backoff
        self._what = what
        self._since = monotonic()
        self.failures = 0
        """The number of failures since the last success."""

    def wait_s(self, error: Exception) -> float:
        """Count a failure and return the seconds to wait before the next attempt. Raises `error` to give up."""
        self.failures += 1
        wait_s = self._backoff.wait_s(self.failures, self._since)
        if wait_s is None:
            raise error
        if self.failures == 1 and self._what:
            _log.warning("%s: waiting, and trying again: %s", self._what, error)
        return wait_s

    async def wait(self, error: Exception) -> None:
        """Count a failure and wait before the next attempt. Raises `error` to give up."""
        await sleep(self.wait_s(error))

    def end(self) -> None:
        """Count a success."""
        if self.failures and self._what:
            _log.warning("%s: it succeeds again after %d failures", self._what, self.failures)
        self.failures = 0
        self._since = monotonic()


def _ignore(_: Exception) -> None:
    pass


async def retrying(
    attempt: Callable[[], Awaitable[T]],
    backoff: Backoff,
    errors: tuple[type[Exception], ...],
    *,
    what: str = "",
    failed: Callable[[Exception], None] = _ignore,
) -> T:
    """Call `attempt` until it succeeds, and return its result.

    After one of `errors` it calls `failed`, waits and calls `attempt` again. Raises that error once `backoff` gives up,
    and any other error at once. Being cancelled ends it, also while it waits.
    """
    outage = Outage(backoff, what)
    while True:
        try:
            result = await attempt()
        except errors as error:
            failed(error)
            await outage.wait(error)
        else:
            outage.end()
            return result
