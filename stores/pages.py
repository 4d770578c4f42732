"""A page of anything: what every read port answers that lists without an end."""

from __future__ import annotations

from typing import Generic, NamedTuple, TypeVar

T = TypeVar("T")


class Page(NamedTuple, Generic[T]):
    """Some items in order, and where the next page begins.

    `next` is the sort key of the last row that was looked at: handed back as `before`, the list goes on past it,
    whatever came in meanwhile. None means that there is nothing further. A page may have fewer items than asked for,
    even none, while `next` is set: a store looks at a bounded number of rows, and leaves out what does not fit.
    """

    items: list[T]
    next: str | None
