"""How the simulation says that a law is broken."""

from __future__ import annotations


class Violation(AssertionError):
    """A law does not hold."""


def require(holds: bool, what: str) -> None:
    """Raise Violation where something does not hold."""
    if not holds:
        raise Violation(what)
