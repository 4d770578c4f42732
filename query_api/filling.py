"""Filling a page: what a list names is looked at, some of it left out, and the gap is filled from further on."""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from typing import TypeVar

from stores.pages import Page

T = TypeVar("T")
S = TypeVar("S")

MOST_ROUNDS = 4
"""After that a page stays short, and its cursor goes on: nobody waits because much was deleted."""


async def fill(
    fetch: Callable[[str | None, int], Awaitable[Page[T]]],
    show: Callable[[list[T]], Awaitable[list[S]]],
    position: str | None,
    limit: int,
) -> Page[S]:
    """Up to `limit` of what `show` makes of the list that `fetch` reads, from `position` on.

    Each round asks for as many as are missing, so the page never has to be cut, and the position that the store gave
    is where the next page begins.
    """
    shown: list[S] = []
    for _ in range(MOST_ROUNDS):
        page = await fetch(position, limit - len(shown))
        position = page.next
        if page.items:
            shown += await show(page.items)
        if position is None or len(shown) >= limit:
            break
    return Page(shown, position)
