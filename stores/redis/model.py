"""A read model on Redis, as its adapter module declares it in `MODEL`."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Generic, TypeVar

from .connection import Client
from .sink import RedisKeys, RedisSink

Rows = TypeVar("Rows")
Reader = TypeVar("Reader")


@dataclass(frozen=True)
class Model(Generic[Rows, Reader]):
    """The two sides of the port of counters: `Rows` for writes, `Reader` for reads. Their keys belong to the group."""

    rows: Callable[[RedisSink], Rows]
    reader: Callable[[Client, RedisKeys], Reader]
