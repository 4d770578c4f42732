"""All read ports that the query API serves from, as one bundle: a consistent choice of read model generations."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class Readers:
    """A field for each read port; runtime/ builds it and swaps it whole when a read model's generation changes."""
