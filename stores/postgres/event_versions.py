"""The registry of event versions: a version is written only when every process that reads the log can read it.

Each reader registers the versions that it can read, and renews the registration while it runs. A deciding process calls
`allow` before its first write. If a registered reader lacks one of its versions, the process waits, and older processes
continue to decide. An allowed version may be in the log for ever, so a reader that lacks it is refused at its start.

Registering and allowing take the same lock, so a reader cannot register between the check and the note.
"""

from __future__ import annotations

from collections.abc import AsyncIterator, Iterable, Mapping
from contextlib import asynccontextmanager
from typing import Any

from psycopg import errors
from psycopg.types.json import Jsonb

from events.log import LogUnavailable, NotSetUp
from events.postgres.connections import Connection

from .database import Database, available
from .pointers import SCHEMA

BEAT_S = 5.0
"""Seconds between the renewals of a reader."""
GONE_S = 30.0
"""Seconds without a renewal after which a reader counts as stopped: it was killed, or lost its connection."""

Versions = Mapping[str, int]
"""The newest version of each type of event."""

_LOCK = 0x76657273696F6E73
"""`versions` in ASCII: the number of the registry's advisory lock."""
_TOLD = 3


class NewerLog(NotSetUp):
    """The log may have versions of events that this software cannot read."""


class ReadersBehind(LogUnavailable):
    """A running process cannot read a version that this one would write. This one waits until that one is replaced."""


class EventVersions:
    """The registry in the database at `url`. A reader not renewed for `gone_s` seconds counts as stopped."""

    def __init__(self, url: str, *, gone_s: float = GONE_S) -> None:
        self._database = Database(url, SCHEMA)
        self._gone_s = gone_s

    async def register(self, process: str, role: str, reads: Versions) -> None:
        """Register a reader, or renew its registration. Raises NewerLog, StoreUnavailable."""
        async with self._alone() as connection:
            cursor = await connection.execute("SELECT type, version FROM written ORDER BY type")
            unknown = [(type_, version) for type_, version in await cursor.fetchall() if version > reads.get(type_, 0)]
            if unknown:
                raise NewerLog(
                    f"the log may hold {_listed(unknown)}, which this version of minitwitter cannot read; run the newer"
                    " one that wrote it"
                )
            await connection.execute(
                "INSERT INTO readers (process, role, reads) VALUES (%s, %s, %s)"
                " ON CONFLICT (process) DO UPDATE SET seen = now(), reads = excluded.reads",
                (process, role, Jsonb(dict(reads))),
            )

    async def leave(self, process: str) -> None:
        """Remove a reader that has stopped. Raises StoreUnavailable."""
        async with self._alone() as connection:
            await connection.execute("DELETE FROM readers WHERE process = %s", (process,))

    async def allow(self, writes: Versions) -> None:
        """Record that these versions may be in the log from now on.

        Raises ReadersBehind, NewerLog, StoreUnavailable.
        """
        async with self._alone() as connection:
            await connection.execute(
                "DELETE FROM readers WHERE seen < now() - make_interval(secs => %s)", (self._gone_s,)
            )
            cursor = await connection.execute("SELECT role, reads FROM readers ORDER BY role")
            for role, reads in await cursor.fetchall():
                lacking = [(type_, version) for type_, version in writes.items() if version > reads.get(type_, 0)]
                if lacking:
                    raise ReadersBehind(
                        f"a running process ({role}) cannot read {_listed(lacking)}, which this one would write;"
                        " replace workers and query processes before those that decide"
                    )
            cursor = await connection.execute("SELECT type, version FROM written")
            newer = [(type_, version) for type_, version in await cursor.fetchall() if version > writes.get(type_, 0)]
            if newer:
                raise NewerLog(
                    f"a newer version of minitwitter may have written {_listed(newer)}; this one would decide on what"
                    " it cannot read: run the newer one"
                )
            await connection.cursor().executemany(
                "INSERT INTO written VALUES (%s, %s) ON CONFLICT (type) DO UPDATE SET version = excluded.version",
                sorted(writes.items()),
            )

    @asynccontextmanager
    async def _alone(self) -> AsyncIterator[Connection]:
        """Run a transaction under the registry's lock. Raises StoreUnavailable, NotSetUp."""
        try:
            async with available(), await self._database.connect() as connection, connection.transaction():
                await connection.execute("SELECT pg_advisory_xact_lock(%s)", (_LOCK,))
                yield connection
        except errors.UndefinedTable:
            raise NotSetUp("PostgreSQL lacks the tables of event versions; run `minitwitter migrate`") from None


def _listed(versions: Iterable[tuple[Any, Any]]) -> str:
    listed = [f"{type_} version {version}" for type_, version in sorted(versions)]
    more = len(listed) - _TOLD
    return ", ".join(listed[:_TOLD]) + (f" and {more} more" if more > 0 else "")
