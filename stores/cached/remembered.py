"""A cache of rows that rarely change. The requests of all viewers share it.

A row is cached until its id is invalidated, or until the whole cache is cleared because an invalidation may have been
missed. Missing rows are not cached. Invalidation must reach this cache before the position that makes the change
visible is announced (runtime/distributed/consistency/read_positions.py).
"""

from __future__ import annotations

from collections import OrderedDict
from collections.abc import Awaitable, Callable, Collection, Iterable, Mapping
from typing import Generic, TypeVar

K = TypeVar("K")
V = TypeVar("V")


def _one(_: object) -> int:
    return 1


class Remembered(Generic[K, V]):
    """An LRU cache of rows by id. The weight of all rows is at most `most`; a row weighs 1 unless `weight` is given."""

    def __init__(self, most: int, weight: Callable[[V], int] = _one) -> None:
        self._most = most
        self._weight = weight
        self._rows: OrderedDict[K, V] = OrderedDict()
        self._asking: dict[K, object] = {}
        self._weighs = 0
        self.asked = 0
        self.missed = 0

    async def of(self, ids: Collection[K], ask: Callable[[list[K]], Awaitable[Mapping[K, V]]]) -> dict[K, V]:
        """Return the rows by id. `ask` reads the rows that are not cached; its exceptions are passed on."""
        rows = self._rows
        found: dict[K, V] = {}
        missing: dict[K, None] = {}  # each id once: a feed may have a tweet and a retweet of it
        for id_ in ids:
            row = rows.get(id_)
            if row is None:
                missing[id_] = None
            else:
                rows.move_to_end(id_)
                found[id_] = row
        self.asked += len(ids)
        if missing:
            self.missed += len(missing)
            found.update(await self._asked(list(missing), ask))
        return found

    async def _asked(self, ids: list[K], ask: Callable[[list[K]], Awaitable[Mapping[K, V]]]) -> Mapping[K, V]:
        asking, mine = self._asking, object()
        asking.update(dict.fromkeys(ids, mine))
        try:
            found = await ask(ids)
        finally:
            # If the id was invalidated, or is being read again, the row may be older than the change.
            current = [id_ for id_ in ids if asking.get(id_) is mine]
            for id_ in current:
                del asking[id_]
        for id_ in current:
            if id_ in found:
                self._keep(id_, found[id_])
        return found

    def _keep(self, id_: K, row: V) -> None:
        self._let_go(id_)
        self._rows[id_] = row
        self._weighs += self._weight(row)
        while self._weighs > self._most:
            self._weighs -= self._weight(self._rows.popitem(last=False)[1])

    def _let_go(self, id_: K) -> None:
        row = self._rows.pop(id_, None)
        if row is not None:
            self._weighs -= self._weight(row)

    def forget(self, ids: Iterable[K]) -> None:
        """Invalidate rows. Rows that are being read now will not be cached either."""
        for id_ in ids:
            self._asking.pop(id_, None)
            self._let_go(id_)

    def clear(self) -> None:
        """Invalidate all rows."""
        self._asking.clear()
        self._rows.clear()
        self._weighs = 0
