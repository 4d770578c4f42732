"""The progress of rebuilds: the command that rebuilds writes it while it runs, and `minitwitter status` reads it.

If progress is not renewed, its command has died, and the rebuild is not returned as running.
"""

from __future__ import annotations

from typing import NamedTuple

from psycopg import errors

from .database import Database, available
from .pointers import SCHEMA

BEAT_S = 1.0
"""Seconds between two writes of the progress."""
GONE_S = 10.0
"""A command whose progress is older is gone: killed, or cut off."""


class Rebuild(NamedTuple):
    """A running rebuild: `done` of `total` events are applied. `total` is 0 before they are counted."""

    store: str
    done: int
    total: int

    @property
    def share(self) -> float:
        """The applied share of the events, from 0 to 1."""
        return self.done / self.total if self.total else 0.0


class Rebuilds:
    """The progress of rebuilds in the database at `url`. `gone_s` as GONE_S."""

    def __init__(self, url: str, *, gone_s: float = GONE_S) -> None:
        self._database = Database(url, SCHEMA)
        self._gone_s = gone_s

    async def note(self, rebuild: Rebuild) -> None:
        """Write the progress of a rebuild; nothing before the table is migrated. Raises StoreUnavailable."""
        await self._run(
            "INSERT INTO rebuilds (store, done, total) VALUES (%s, %s, %s)"
            " ON CONFLICT (store) DO UPDATE SET done=excluded.done, total=excluded.total, told=now()",
            rebuild,
        )

    async def end(self, store: str) -> None:
        """Remove the progress of a rebuild. Raises StoreUnavailable."""
        await self._run("DELETE FROM rebuilds WHERE store = %s", (store,))

    async def running(self) -> list[Rebuild]:
        """Return the rebuilds whose command still runs; none if the table does not exist. Raises StoreUnavailable."""
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
