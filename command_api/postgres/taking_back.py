"""Restore the keys and passwords that a restored database lacks from Kafka's topic `keys`.

A published row that differs from the topic's newest record after the noted positions is older than the topic: the
database was restored. A row that was changed and is not published yet is newer than the topic. For passwords, their
times decide.
"""

from __future__ import annotations

from collections.abc import AsyncIterator, Iterable, Mapping, Sequence
from contextlib import asynccontextmanager
from typing import NamedTuple, TypeVar

from events.ids import account_number
from events.kept import Kept, KeptKey, KeptPassword, KeptReader
from events.log import Positions
from events.postgres.connections import Connection, Pool, available, run
from events.postgres.keys import PostgresKeys
from events.sealing import KeyUnknown, SealBroken

from . import sets
from .kept import KEY, SEALED_AS, kept_positions, row_of

K = TypeVar("K", KeptKey, KeptPassword)

_LOCK = 0x6B65707473
"""The advisory lock of the process that restores rows: `kepts` in ASCII."""

_TAKE_KEYS = (
    f"INSERT INTO subject_keys AS old (subject, master, wrapped, published) SELECT *, true FROM {sets.rows(KEY)}"
    " ON CONFLICT (subject) DO UPDATE SET master=excluded.master, wrapped=excluded.wrapped, published=true"
    " WHERE old.wrapped IS NOT NULL AND (old.published OR excluded.wrapped IS NULL)"  # destroyed: final
    " AND (old.master, old.wrapped) IS DISTINCT FROM (excluded.master, excluded.wrapped)"
)
_PASSWORD = {"account": "bigint", "id": "text", "hash": "bytea", "changed": "bigint"}
_TAKE_PASSWORDS = (
    "INSERT INTO passwords AS old (account, id, hash, changed, published)"
    f" SELECT *, true FROM {sets.rows(_PASSWORD)} ON CONFLICT (account)"
    " DO UPDATE SET hash=excluded.hash, changed=excluded.changed, published=true WHERE old.changed < excluded.changed"
)


class Taken(NamedTuple):
    """How many keys and passwords were missing or outdated and are restored."""

    keys: int
    passwords: int


class TakingBack:
    """Brings the keys and passwords of a database up to date with the topic."""

    def __init__(self, pool: Pool, keys: PostgresKeys, topic: KeptReader) -> None:
        self._pool = pool
        self._keys = keys
        self._topic = topic

    async def take_back(self) -> Taken:
        """Restore the rows that are missing or outdated. Without new records this takes one request to Kafka.

        Destroyed keys are destroyed again. If the topic is not the one that this database published to, all rows are
        marked to be published again. Raises LogUnavailable.
        """
        ends = await self._topic.ends()
        noted = await run(self._pool, kept_positions)
        if noted == ends:
            return Taken(0, 0)
        async with self._alone() as connection:
            noted = await kept_positions(connection)
            if not ends.covers(noted):
                await _publish_all_again(connection)
                noted = Positions()
            async with connection.transaction():  # so that nobody sees a record that a later one replaces
                return await self._take(connection, noted)

    async def take_back_from_the_beginning(self) -> Taken:
        """Read the whole topic; restore also rows that are missing although the database was never restored."""
        async with self._alone() as connection, connection.transaction():
            return await self._take(connection, Positions())

    async def _take(self, connection: Connection, noted: Positions) -> Taken:
        keys = passwords = 0
        reached = noted
        async for batch in self._topic.since(noted):
            newest = _newest(batch.kept, KeptKey)
            keys += await _write(connection, _TAKE_KEYS, KEY, map(row_of, newest))
            for key in newest:
                self._keys.sealer.forget(key.subject)
            reached = reached.merged(batch.positions)
        async for batch in self._topic.since(
            noted
        ):  # a second pass, because a password may come before the key that opens it
            rows = await self._opened(connection, _newest(batch.kept, KeptPassword))
            passwords += await _write(connection, _TAKE_PASSWORDS, _PASSWORD, rows)
        await connection.execute("UPDATE kept_positions SET positions=%s", (str(reached),))
        return Taken(keys, passwords)

    async def _opened(self, connection: Connection, passwords: Sequence[KeptPassword]) -> list[Sequence[object]]:
        """Return the rows of the passwords that can be opened. An account without one cannot sign in; others can."""
        sealer = self._keys.sealer
        sealer.trim()
        await self._keys.fetch_with(connection, [password.account for password in passwords])
        rows: list[Sequence[object]] = []
        for account, at, sealed in ((one.account, one.at, one.sealed) for one in passwords):
            try:
                if not sealer.erased(account):
                    hash_ = sealer.open(account, SEALED_AS, f"{account}:{at}", sealed)
                    rows.append((account_number(account), account, hash_, at))
            except (KeyUnknown, SealBroken):
                continue
        return rows

    @asynccontextmanager
    async def _alone(self) -> AsyncIterator[Connection]:
        """Open a connection in autocommit mode while no other process restores rows."""
        async with available(), self._pool.connection() as connection:
            await connection.set_autocommit(True)
            try:
                await connection.execute("SET statement_timeout = 0")
                await connection.execute("SELECT pg_advisory_lock(%s)", (_LOCK,))
                yield connection
            finally:
                await connection.close()  # this releases the lock; the pool opens another


async def _publish_all_again(connection: Connection) -> None:
    async with connection.transaction():
        await connection.execute("SET LOCAL enable_seqscan = on")
        await connection.execute("UPDATE subject_keys SET published=false WHERE published")
        await connection.execute("UPDATE passwords SET published=false WHERE published")
        await connection.execute("UPDATE kept_positions SET positions=''")


async def _write(connection: Connection, sql: str, columns: Mapping[str, str], rows: Iterable[Sequence[object]]) -> int:
    cursor = await connection.execute(sql.encode(), (sets.value(columns, rows),))
    return cursor.rowcount


def _newest(kept: Iterable[Kept], kind: type[K]) -> list[K]:
    """Return the last record of each key in the order of keys; one order of writes prevents deadlocks."""
    newest = {one.key: one for one in kept if isinstance(one, kind)}
    return [newest[key] for key in sorted(newest)]
