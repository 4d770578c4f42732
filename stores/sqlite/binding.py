"""Between ids and what SQLite is given: batches as arrays, positions as keys, rows as pages.

A batch goes in as one array (SQLite's carray), so that one statement text serves batches of every size, and 20 rows
come out in about 10 us.
"""

from __future__ import annotations

from array import array
from collections.abc import Collection
from functools import lru_cache
from typing import Any, TypeVar

import apsw

from events.ids import AccountId, account_number, from_bytes, to_bytes

from ..pages import Page

T = TypeVar("T")

LAST_KEY = b"\xff" * 16
FIRST_KEY = b"\x00" * 16


def blobs(ids: Collection[str]) -> Any:
    """A batch of ids, one at least."""
    return apsw.carray(_bytes_of(tuple(ids)))


@lru_cache(maxsize=16)
def _bytes_of(ids: tuple[str, ...]) -> tuple[bytes, ...]:
    # Each store is asked about the same tweets in turn; only the first of them pays.
    return tuple(map(to_bytes, ids))


def numbers(accounts: Collection[AccountId]) -> Any:
    """A batch of accounts by their numbers, one at least."""
    return apsw.carray(array("q", map(number_of, accounts)))


@lru_cache(maxsize=8192)
def number_of(account: AccountId) -> int:
    """An account's number. Who acts, acts again: looking it up takes a fifth of reading it from the id."""
    return account_number(account)


def key_before(before: str | None) -> bytes:
    """The key that a list goes on below; past all of them for the first page."""
    return LAST_KEY if before is None else to_bytes(before)


def page_of(rows: list[tuple[T | None, bytes]], limit: int) -> Page[T]:
    """The page in rows of an item and its key, read with a limit of one more than asked for.

    A row without an item is of an account that has not come out of the log yet.
    """
    next_ = from_bytes(rows[limit - 1][1]) if len(rows) > limit else None
    return Page([item for item, _ in rows[:limit] if item is not None], next_)


def page_of_ids(rows: list[tuple[bytes, bytes]], limit: int) -> Page[Any]:
    """The same where the items are ids."""
    next_ = from_bytes(rows[limit - 1][1]) if len(rows) > limit else None
    return Page([from_bytes(item) for item, _ in rows[:limit]], next_)
