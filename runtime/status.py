"""The status of an installation for `minitwitter status`, with the same judgement as /readyz."""

from __future__ import annotations

from collections.abc import Sequence

import msgspec

from runtime.quantities import counted

from .lag import Behind, told
from .readiness import Part, State, worst

OUTBOX_S = 30.0
"""Seconds: if a row of the outbox waits longer, nobody publishes it."""


class ModelStatus(msgspec.Struct, frozen=True):
    """A read model. `building` is the share of the log that its rebuild has applied; None if there is no rebuild."""

    name: str
    version: int
    generation: str = ""
    building: float | None = None


class GroupStatus(msgspec.Struct, frozen=True):
    """A group of processors. `lag` and `workers` are None if they are unknown: a data directory has no workers."""

    name: str
    state: State
    detail: str
    lag_events: int | None
    lag_seconds: float | None
    dead_letters: int | None
    models: Sequence[ModelStatus] = ()
    workers: int | None = None


class EngineStatus(msgspec.Struct, frozen=True):
    """An engine, and the time that it took to answer; None if it did not answer."""

    name: str
    milliseconds: float | None
    detail: str = ""


class Outbox(msgspec.Struct, frozen=True):
    """Acknowledged writes that are not in Kafka yet."""

    rows: int
    oldest_seconds: float


class Disk(msgspec.Struct, frozen=True):
    """The disk of the data directory, and the sizes of its contents, in bytes."""

    path: str
    free: int
    files: dict[str, int]


class Status(msgspec.Struct, frozen=True):
    """An installation. `parts` are those of /readyz of the process that serves reads, at the same moment."""

    profile: str
    state: State
    parts: Sequence[Part]
    groups: Sequence[GroupStatus]
    engines: Sequence[EngineStatus] = ()
    outbox: Outbox | None = None
    disk: Disk | None = None
    server: str = ""

    @property
    def current(self) -> bool:
        """Whether all groups are current and all engines answer."""
        return self.state == "ready"


def group_told(
    part: Part,
    behind: Behind | None,
    dead_letters: int | None = None,
    models: Sequence[ModelStatus] = (),
    workers: int | None = None,
) -> GroupStatus:
    """Return a group, and its part of /readyz."""
    events, seconds = (None, None) if behind is None else (behind.events, round(behind.seconds, 3))
    return GroupStatus(part.name, part.state, part.detail, events, seconds, dead_letters, models, workers)


def letters_told(number: int | None) -> str:
    """Return a sentence about dead letters; empty if there are none."""
    if not number:
        return ""
    return f"{counted(number, 'dead letter')}: `minitwitter dead-letters list` shows them"


def outbox_part(outbox: Outbox | None, *, relayed: bool = True) -> Part:
    """Return the part of the outbox: degraded if rows wait and nobody publishes them. `relayed`: a relay runs."""
    if outbox is None or outbox.oldest_seconds <= OUTBOX_S:
        return Part.of("outbox")
    wait = counted(outbox.rows, "acknowledged write waits", "acknowledged writes wait")
    mend = "" if relayed else "; no relay runs: `minitwitter work relay` starts one"
    return Part.of("outbox", degraded=f"{wait}, the oldest {outbox.oldest_seconds:.0f} s{mend}")


def group_part(
    name: str, *, unavailable: str = "", idle: str = "", lost: bool = False, behind: Behind, letters: int | None = None
) -> Part:
    """Return the part of a group. Its reads always go on, and say that they are stale. `idle`: no worker runs it."""
    if unavailable:
        return Part.of(name, degraded=unavailable)
    if lost and not idle:
        return Part.of(name, degraded="what its store lost is being made again")
    return Part.of(name, degraded="; ".join(filter(None, (idle, told(name, behind), letters_told(letters)))))


def overall(parts: Sequence[Part]) -> State:
    """Return the state of an installation with these parts."""
    return worst(part.state for part in parts)
