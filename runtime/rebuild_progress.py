"""The progress of a rebuild, and the comparison of each rebuilt read model with the one it replaced."""

from __future__ import annotations

import msgspec


class Compared(msgspec.Struct, frozen=True):
    """The comparison of a rebuilt read model with the replaced one, at the same positions. `same` is None if the
    versions differ.
    """

    model: str
    generation: int
    version: int
    rows: int
    digest: str
    same: bool | None


class RebuildProgress(msgspec.Struct, frozen=True):
    """The progress of a rebuild. `state` is building, comparing, done, failed or cancelled."""

    models: tuple[str, ...]
    state: str
    done: int
    total: int
    compared: tuple[Compared, ...] = ()
    detail: str = ""
