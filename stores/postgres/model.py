"""The declaration of a read model on PostgreSQL. Each adapter module has one as `MODEL`."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Generic, TypeVar

from events.postgres.connections import Pool

from .sink import Pending

Rows = TypeVar("Rows", bound=Pending)
Reader = TypeVar("Reader")


@dataclass(frozen=True)
class Model(Generic[Rows, Reader]):
    """The tables of a read model, and the two sides of its port: `Rows` for writes, `Reader` for reads."""

    tables: tuple[str, ...]
    rows: Callable[[], Rows]
    reader: Callable[[Pool], Reader]
