"""Digests of tables that do not depend on the order of the rows."""

from __future__ import annotations

import hashlib
import itertools
from collections.abc import Generator, Iterable
from typing import Any, TypeVar

T = TypeVar("T")
Steps = Generator[None, None, tuple[int, int]]
"""A digest computed in steps of a few ms, so that the process can do other work in between."""

_ROWS_A_STEP = 2000


def unordered_digest(rows: Iterable[Any]) -> tuple[int, int]:
    """Return the number of rows and the sum of their hashes modulo 2**128: equal multisets have equal digests. 2 us a
    row.
    """
    count = total = 0
    for row in rows:
        count += 1
        total += int.from_bytes(hashlib.blake2b(repr(row).encode(), digest_size=16).digest(), "big")
    return count, total & (1 << 128) - 1


def unordered_digest_steps(rows: Iterable[Any]) -> Steps:
    """Compute `unordered_digest` in steps of 2,000 rows; the generator returns the digest."""
    count = total = 0
    found = iter(rows)
    while part := list(itertools.islice(found, _ROWS_A_STEP)):
        counted, summed = unordered_digest(part)
        count, total = count + counted, total + summed & (1 << 128) - 1
        yield
    return count, total


def finished(steps: Generator[None, None, T]) -> T:
    """Run a generator of steps to its end and return its result."""
    while True:
        try:
            next(steps)
        except StopIteration as end:
            value: T = end.value
            return value
