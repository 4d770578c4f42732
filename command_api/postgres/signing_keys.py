"""The keys that sign access tokens, on PostgreSQL: all processes sign and verify with the same keys.

They are in the table of the subjects' keys, wrapped by the master key, so that its rotation includes them.
"""

from __future__ import annotations

import asyncio

from events.ids import HybridClock
from events.postgres.connections import Connection, Pool, run, select
from events.sealing import Sealer, WrappedKey

from ..signing_keys import KeyRing, SigningKey, key_of, new_key, pem_of

_PREFIX = "signing-key:"
_LOCK = 0x5167
"""An advisory lock, so that processes that start together make only one key."""
_WRAPPED_IN = 8
"""AES key wrap takes blocks of 8 bytes; a PEM is padded with line feeds."""


class PostgresSigningKeys(KeyRing):
    """The signing keys as of the last `refresh`. Another process may rotate them, so call `refresh` regularly.

    Until then a new key is unknown here, so refresh much more often than tokens expire.
    """

    def __init__(self, pool: Pool, sealer: Sealer, ids: HybridClock, overlap_ms: int) -> None:
        super().__init__(ids, overlap_ms)
        self._pool = pool
        self._sealer = sealer

    async def refresh(self) -> None:
        """Load new keys and drop retired ones; make the first key if there is none. Raises LogUnavailable."""
        await run(self._pool, self._refresh)

    async def rotate(self) -> SigningKey:
        """Generate a key that signs from now on. Raises LogUnavailable."""
        await self.refresh()
        made = await asyncio.to_thread(new_key, self._ids)
        await run(self._pool, lambda connection: self._insert(connection, made))
        await self.refresh()
        return made

    async def _refresh(self, connection: Connection) -> None:
        keys = await self._select(connection)
        if not keys:
            await connection.execute(f"SELECT pg_advisory_xact_lock({_LOCK})")
            keys = await self._select(connection)
        if not keys:
            made = await asyncio.to_thread(new_key, self._ids)
            await self._insert(connection, made)
            keys = [made]
        self._ids.observe(keys[-1].kid)
        self._keys = keys
        self._keys = self.listed()
        for key in keys:
            if key not in self._keys:
                await connection.execute("DELETE FROM subject_keys WHERE subject=%s", (_PREFIX + key.kid,))

    async def _select(self, connection: Connection) -> list[SigningKey]:
        rows = await select(
            connection,
            "SELECT subject, master, wrapped FROM subject_keys WHERE subject > %s AND subject < %s ORDER BY subject",
            (_PREFIX, _PREFIX + "~"),
        )
        known = {key.kid: key for key in self._keys}
        return [
            known.get(kid := subject.removeprefix(_PREFIX))
            or key_of(kid, self._sealer.masters.unwrap(WrappedKey(master, wrapped)))
            for subject, master, wrapped in rows
        ]

    async def _insert(self, connection: Connection, key: SigningKey) -> None:
        pem = pem_of(key)
        stored = self._sealer.masters.wrap(pem + b"\n" * (-len(pem) % _WRAPPED_IN))
        await connection.execute(
            "INSERT INTO subject_keys (subject, master, wrapped) VALUES (%s, %s, %s)",
            (_PREFIX + key.kid, stored.master, stored.wrapped),
        )
