"""Whether a process can serve, part by part: what /readyz answers and `minitwitter status` prints.

Ready means that reads are current, or say that they are not. So a part that is away or behind, and without which the
process goes on, is `degraded`, never `ready` with an excuse.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable
from typing import Literal

import msgspec

State = Literal["ready", "degraded", "down"]
_ORDER: tuple[State, ...] = ("ready", "degraded", "down")


class Part(msgspec.Struct, frozen=True):
    """One part of the service. `degraded`: it serves, and `detail` says what is missing. `down`: it cannot serve."""

    name: str
    """Which part."""
    state: State = "ready"
    """How it is."""
    detail: str = ""
    """What is missing; empty where nothing is."""

    @classmethod
    def of(cls, name: str, *, down: str = "", degraded: str = "") -> Part:
        """A part with the reason why it is down, or else why it is degraded; ready where both are empty."""
        if down:
            return cls(name, "down", down)
        return cls(name, "degraded", degraded) if degraded else cls(name)


class Readiness(msgspec.Struct, frozen=True):
    """Whether the service can serve: `ready` is false where a part is down, `state` is that of the worst part."""

    ready: bool
    """Whether it can serve."""
    state: State
    """That of the worst part."""
    parts: list[Part]
    """Each part."""

    @classmethod
    def of(cls, parts: Iterable[Part]) -> Readiness:
        """The readiness of a process with these parts."""
        found = list(parts)
        state = worst(part.state for part in found)
        return cls(state != "down", state, found)


Parts = Callable[[], list[Part]]


def worst(states: Iterable[State]) -> State:
    """The worst of some states; `ready` of none."""
    return max(states, key=_ORDER.index, default="ready")
