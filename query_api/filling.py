"""Fill a page: hidden entries of a list are left out, and further entries are read in their place."""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from typing import TypeVar

from stores.pages import Page

T = TypeVar("T")
S = TypeVar("S")

MOST_ROUNDS = 4
"""Reads per page. Then the page stays short, and its cursor continues: many deleted entries do not delay the answer."""


async def fill(
    fetch: Callable[[str | None, int], Awaitable[Page[T]]],
    show: Callable[[list[T]], Awaitable[list[S]]],
    position: str | None,
    limit: int,
) -> Page[S]:
    """Return up to `limit` entries that `show` makes from the list that `fetch` reads, from `position` on.

    Each round reads as many entries as are missing, so a page is never cut, and the next page begins at the position
    that the store returned.
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
