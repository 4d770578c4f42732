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
    """The tables of a read model, and the two sides of its port: `Rows` for writes, `Reader` for reads.

    Both are constructed with the keyspace; migrations/ create the tables. `reader` is None if the query API does not
    read the model. In `expiring` tables, rows whose last column is set will expire, so a digest leaves them out.
    """

    tables: tuple[str, ...]
    rows: Callable[[CassandraSink, str], Rows]
    reader: Callable[[CassandraSession, str], Reader] | None
    expiring: tuple[str, ...] = ()
