"""A page of a list: the answer of every read that may have more items than one response."""

from __future__ import annotations

from typing import Generic, NamedTuple, TypeVar

T = TypeVar("T")


class Page(NamedTuple, Generic[T]):
    """Some items in order, and the cursor of the next page.

    `next` is the sort key of the last row that was read. As `before` of the next call it continues the list after that
    row, whatever was added meanwhile. None means that the list ends here. A page may have fewer items than requested,
    even none, though `next` is set: a store reads a bounded number of rows and filters them.
    """

    items: list[T]
    next: str | None
