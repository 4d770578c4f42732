"""The readiness of a process, part by part, for /readyz and `minitwitter status`.

`ready` means that reads are current, or say that they are not. A part that is unreachable or behind, and that the
process can serve without, is `degraded`.
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
        """Return a part: down or degraded if there is a reason, else ready."""
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
        """Return the readiness of a process with these parts."""
        found = list(parts)
        state = worst(part.state for part in found)
        return cls(state != "down", state, found)


Parts = Callable[[], list[Part]]


def worst(states: Iterable[State]) -> State:
    """Return the worst of some states; `ready` if there are none."""
    return max(states, key=_ORDER.index, default="ready")
