"""The parameters of time series: start, end and step."""

from __future__ import annotations

from collections.abc import Mapping
from typing import NamedTuple

from events.ids import Millis
from rest.problems import explains, invalid
from rest.times import parse_rfc3339, rfc3339
from stores.trends import TooMuch

explains("invalid-value", TooMuch)

MOST_POINTS = 1000
DEFAULT_POINTS = 24
STEPS: Mapping[str, int] = {
    "5m": 300_000,
    "15m": 900_000,
    "1h": 3_600_000,
    "6h": 21_600_000,
    "1d": 86_400_000,
}
_LAST_TIME = 253_370_764_800_000
"""The year 9999. A step that ends after a given time is still in the range of RFC 3339."""


class Range(NamedTuple):
    """A range in milliseconds. `start` and `end` are multiples of `step`, counted from 1970."""

    start: Millis
    end: Millis
    step: int


def time_of(field: str, text: str) -> Millis:
    """Parse the time in a parameter. Raises a 422."""
    try:
        time = parse_rfc3339(text)
    except ValueError as error:
        raise invalid(field, "time", str(error)) from None
    if not 0 <= time < _LAST_TIME:
        raise invalid(field, "time", f"{text} is not between the years 1970 and 9999")
    return time


def range_of(since: str | None, until: str | None, step: str, now: Millis) -> Range:
    """Return the range of whole steps that contains `since` to `until`. Raises a 422.

    `until` defaults to now, `since` to 24 steps before the end.
    """
    length = STEPS[step]
    end = -(-(now if until is None else time_of("to", until)) // length) * length
    start = end - DEFAULT_POINTS * length if since is None else time_of("from", since) // length * length
    if start >= end:
        raise invalid("from", "range", f"from must be before to, which is {rfc3339(end)}")
    if end - start > MOST_POINTS * length:
        raise invalid(
            "step", "range", f"a series has at most {MOST_POINTS:,} steps; choose a longer step or a shorter range"
        )
    return Range(Millis(max(0, start)), Millis(end), length)
