"""A read model on Cassandra, as its adapter module declares it in `MODEL`."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Generic, TypeVar

from .session import CassandraSession
from .sink import CassandraSink

Rows = TypeVar("Rows")
Reader = TypeVar("Reader")


@dataclass(frozen=True)
class Model(Generic[Rows, Reader]):
    """The tables of a read model, and the two sides of its port on them: `Rows` are written to, `Reader` is read.

    Both are made with the keyspace; the tables themselves are made by migrations/. Reader is None where the query API
    reads nothing of the model. A digest leaves out rows of `expiring` tables whose last column is set: they expire.
    """

    tables: tuple[str, ...]
    rows: Callable[[CassandraSink, str], Rows]
    reader: Callable[[CassandraSession, str], Reader] | None
    expiring: tuple[str, ...] = ()
