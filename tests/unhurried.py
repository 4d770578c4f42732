"""Limits that no test runs into unless it sets them: tests do in seconds what people do in days, from one address."""

from __future__ import annotations

_MANY = 1_000_000

UNHURRIED = dict.fromkeys(
    ("registrations_an_hour", "anonymous_writes_a_minute", "reads_a_minute", "writes_a_minute", "files_a_minute"),
    _MANY,
)
"""Of the settings `rate_limits`."""

ENVIRONMENT = {f"MINITWITTER_RATE_LIMITS__{name.upper()}": str(most) for name, most in UNHURRIED.items()}
"""The same for processes."""
