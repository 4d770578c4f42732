"""A read model on SQLite, as its adapter module declares it in `MODEL`."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Generic, TypeVar

import apsw

from .views import Tables

Rows = TypeVar("Rows")
Reader = TypeVar("Reader")


@dataclass(frozen=True)
class Model(Generic[Rows, Reader]):
    """The tables of a read model, and the two sides of its port: `Rows` for writes, `Reader` for reads.

    Both are constructed with a connection and the table names of a generation. `reader` is None if the query API does
    not read the model.
    """

    tables: Tables
    rows: Callable[[apsw.Connection, Mapping[str, str]], Rows]
    reader: Callable[[apsw.Connection, Mapping[str, str]], Reader] | None
