"""The progress of a rebuild, and how each rebuilt read model compares with the one it replaced."""

from __future__ import annotations

import msgspec


class Compared(msgspec.Struct, frozen=True):
    """A rebuilt read model beside the one it replaced, at the same positions; `same` is None across versions."""

    model: str
    generation: int
    version: int
    rows: int
    digest: str
    same: bool | None


class RebuildProgress(msgspec.Struct, frozen=True):
    """How far a rebuild is. `state` is building, comparing, done, failed or cancelled."""

    models: tuple[str, ...]
    state: str
    done: int
    total: int
    compared: tuple[Compared, ...] = ()
    detail: str = ""
