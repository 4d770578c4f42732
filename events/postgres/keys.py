"""Subjects' keys and the installation's secrets on PostgreSQL, wrapped by the master key: the Keys port."""

from __future__ import annotations

import os
from collections.abc import Awaitable, Callable, Iterable

from ..ids import Randomness
from ..kept import KeptKey
from ..keys import KeysUnavailable
from ..log import LogUnavailable
from ..sealing import MasterKeys, Sealer, WrappedKey
from .connections import Connection, Pool, Statement, available, select

_INSERT = "INSERT INTO subject_keys (subject, master, wrapped) VALUES (%s, %s, %s)"
_SECRET = "secret:"  # noqa: S105  a prefix


class PostgresKeys:
    """Fetches the keys of subjects for a sealer, and makes them. A batch takes about 0.5 ms."""

    def __init__(self, pool: Pool, sealer: Sealer, randomness: Randomness = os.urandom) -> None:
        self._pool = pool
        self._sealer = sealer
        self._randomness = randomness
        self.recover: Callable[[], Awaitable[object]] | None = None
        """Called if the key of a sealed event is missing: restores the keys that a restored database lacks."""

    @property
    def sealer(self) -> Sealer:
        """The sealer that gets the keys."""
        return self._sealer

    async def fetch(self, subjects: Iterable[str]) -> None:
        """Give the sealer the keys that it lacks. Raises KeysUnavailable."""
        missing = self._sealer.missing(subjects)
        if not missing:
            return
        async with available(KeysUnavailable), self._pool.connection() as connection:
            await self.fetch_with(connection, missing)
        if self.recover is not None and self._sealer.missing(missing):
            async with available(KeysUnavailable):
                try:
                    await self.recover()
                except LogUnavailable as error:
                    raise KeysUnavailable(str(error)) from error
            async with available(KeysUnavailable), self._pool.connection() as connection:
                await self.fetch_with(connection, missing)

    async def create(self, subject: str) -> None:
        """Make and store the key of a new subject; an existing key stays. Raises KeysUnavailable."""
        async with available(KeysUnavailable), self._pool.connection() as connection:
            await self._insert_once(connection, subject, self._randomness(32))
            self._sealer.forget(subject)
            await self.fetch_with(connection, [subject])

    async def fetch_with(self, connection: Connection, subjects: Iterable[str]) -> None:
        """Fetch as `fetch` does, on an open connection."""
        missing = self._sealer.missing(subjects)
        if not missing:
            return
        rows = await select(
            connection,
            "SELECT subject, master, wrapped FROM subject_keys WHERE subject = ANY(%s::text[])",
            (list(missing),),
        )
        self._sealer.learn({subject: WrappedKey(master, wrapped) for subject, master, wrapped in rows})

    def begin(self, subject: str) -> KeptKey:
        """Make the key of a subject without one and give it to the sealer; `storing` stores it.

        After a rollback the sealer has to `forget` the subject. If another process made a key meanwhile, the statement
        fails, so that a subject never has two keys.
        """
        # subjects are ids that this system made; the type does not say so
        stored = self._sealer.masters.wrap(self._randomness(32))
        for id_ in self._sealer.missing([subject]):
            self._sealer.learn({id_: stored})
        return KeptKey(subject, stored.master, stored.wrapped)

    def storing(self, key: KeptKey) -> Statement:
        """Return the statement that stores a key made by `begin`."""
        return _INSERT, (key.subject, key.master, key.wrapped)

    async def secret(self, name: str) -> bytes:
        """Return a secret of the installation: 32 bytes, stored like a subject's key and made on first use.

        Raises KeysUnavailable.
        """
        async with available(KeysUnavailable), self._pool.connection() as connection:
            await self._insert_once(connection, _SECRET + name, self._randomness(32))
            [(master, wrapped)] = await select(
                connection, "SELECT master, wrapped FROM subject_keys WHERE subject=%s", (_SECRET + name,)
            )
            return self._sealer.masters.unwrap(WrappedKey(master, wrapped))

    async def renew_secret(self, name: str) -> bytes:
        """Replace a secret; signatures of the old one become invalid. Raises KeysUnavailable."""
        secret = self._randomness(32)
        stored = self._sealer.masters.wrap(secret)
        async with available(KeysUnavailable), self._pool.connection() as connection:
            sql = (
                f"{_INSERT} ON CONFLICT (subject)"
                " DO UPDATE SET master=excluded.master, wrapped=excluded.wrapped, published=false"
            )
            await connection.execute(sql.encode(), (_SECRET + name, stored.master, stored.wrapped))
        return secret

    async def rewrap(self, masters: MasterKeys, limit: int) -> int:
        """Wrap up to `limit` keys of older master keys with the current one; return how many.

        Raises KeysUnavailable.
        """
        async with available(KeysUnavailable), self._pool.connection() as connection:
            rows = await select(
                connection,
                "SELECT subject, master, wrapped FROM subject_keys WHERE master <> %s AND wrapped IS NOT NULL LIMIT %s"
                " FOR UPDATE SKIP LOCKED",
                (masters.current, limit),
            )
            for subject, master, wrapped in rows:
                stored = masters.wrap(masters.unwrap(WrappedKey(master, wrapped)))
                await connection.execute(
                    "UPDATE subject_keys SET master=%s, wrapped=%s, published=false WHERE subject=%s",
                    (stored.master, stored.wrapped, subject),
                )
        return len(rows)

    async def _insert_once(self, connection: Connection, subject: str, key: bytes) -> None:
        stored = self._sealer.masters.wrap(key)
        await connection.execute(f"{_INSERT} ON CONFLICT DO NOTHING".encode(), (subject, stored.master, stored.wrapped))
