"""Comparing tables whatever the order their rows were written in."""

from __future__ import annotations

import hashlib
import itertools
from collections.abc import Generator, Iterable
from typing import Any, TypeVar

T = TypeVar("T")
Steps = Generator[None, None, tuple[int, int]]
"""The making of a digest, a few ms at a time, for a process that has something else to do or to hear as well."""

_ROWS_A_STEP = 2000


def unordered_digest(rows: Iterable[Any]) -> tuple[int, int]:
    """The number of rows and the sum of their hashes, modulo 2**128: equal for equal multisets of rows. 2 us a row."""
    count = total = 0
    for row in rows:
        count += 1
        total += int.from_bytes(hashlib.blake2b(repr(row).encode(), digest_size=16).digest(), "big")
    return count, total & (1 << 128) - 1


def unordered_digest_steps(rows: Iterable[Any]) -> Steps:
    """The same in steps."""
    count = total = 0
    found = iter(rows)
    while part := list(itertools.islice(found, _ROWS_A_STEP)):
        counted, summed = unordered_digest(part)
        count, total = count + counted, total + summed & (1 << 128) - 1
        yield
    return count, total


def finished(steps: Generator[None, None, T]) -> T:
    """What some steps come to, taken at once."""
    while True:
        try:
            next(steps)
        except StopIteration as end:
            value: T = end.value
            return value
