"""How far rebuilds are: the command that rebuilds notes it here while it runs, and `minitwitter status` reads it.

A note that nobody renews is of a command that died: it is never read as a rebuild that runs.
"""

from __future__ import annotations

from typing import NamedTuple

from psycopg import errors

from .database import Database, available
from .pointers import SCHEMA

BEAT_S = 1.0
"""How often a command notes how far it is."""
GONE_S = 10.0
"""A command whose note is older is gone: killed, or cut off."""


class Rebuild(NamedTuple):
    """A rebuild that runs: how many events of how many are applied. `total` is 0 before they are counted."""

    store: str
    done: int
    total: int

    @property
    def share(self) -> float:
        """The share of the events that is applied."""
        return self.done / self.total if self.total else 0.0


class Rebuilds:
    """The notes in the database at `url`. `gone_s` as GONE_S."""

    def __init__(self, url: str, *, gone_s: float = GONE_S) -> None:
        self._database = Database(url, SCHEMA)
        self._gone_s = gone_s

    async def note(self, rebuild: Rebuild) -> None:
        """Say how far it is. Nothing is noted where there is no table yet. Raises StoreUnavailable."""
        await self._run(
            "INSERT INTO rebuilds (store, done, total) VALUES (%s, %s, %s)"
            " ON CONFLICT (store) DO UPDATE SET done=excluded.done, total=excluded.total, told=now()",
            rebuild,
        )

    async def end(self, store: str) -> None:
        """Remove the note. Raises StoreUnavailable."""
        await self._run("DELETE FROM rebuilds WHERE store = %s", (store,))

    async def running(self) -> list[Rebuild]:
        """Those whose command still runs: none where there is no table for them. Raises StoreUnavailable."""
        async with available(), await self._database.connect() as connection:
            try:
                cursor = await connection.execute(
                    "SELECT store, done, total FROM rebuilds WHERE told > now() - make_interval(secs => %s) ORDER BY 1",
                    (self._gone_s,),
                )
            except errors.UndefinedTable:
                return []
            return [Rebuild(*row) for row in await cursor.fetchall()]

    async def _run(self, sql: str, values: tuple[object, ...]) -> None:
        async with available(), await self._database.connect() as connection:
            try:
                await connection.execute(sql.encode(), values)
            except errors.UndefinedTable:
                return
