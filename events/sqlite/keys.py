"""Subjects' keys on SQLite, wrapped by the master key. In log.db, beside the log but not in it."""

from __future__ import annotations

import os
from collections.abc import Callable, Iterable
from typing import Any, cast

import apsw

from ..sealing import MasterKeys, Sealer, WrappedKey

KEYS_DDL = """
CREATE TABLE IF NOT EXISTS subject_keys (
    subject TEXT PRIMARY KEY, master TEXT NOT NULL, wrapped BLOB  -- NULL: destroyed
) WITHOUT ROWID;
"""


class SqliteKeys:
    """Fetches subjects' keys for a sealer, and makes them, on one connection."""

    def __init__(
        self, connection: apsw.Connection, sealer: Sealer, randomness: Callable[[int], bytes] = os.urandom
    ) -> None:
        self.connection = connection
        self.sealer = sealer
        self._randomness = randomness

    def fetch(self, subjects: Iterable[str]) -> None:
        """Show the sealer the keys it has not seen."""
        for subject in self.sealer.missing(subjects):
            row = self.connection.execute(
                "SELECT master, wrapped FROM subject_keys WHERE subject=?", (subject,)
            ).fetchone()
            if row is not None:
                self.sealer.learn({subject: WrappedKey(*row)})

    def create(self, subject: str) -> None:
        """Make the key of a new subject, in the open transaction. One that has a key keeps it."""
        stored = self.sealer.masters.wrap(self._randomness(32))
        self.connection.execute(
            "INSERT INTO subject_keys VALUES (?, ?, ?) ON CONFLICT DO NOTHING",
            (subject, stored.master, stored.wrapped),
        )
        self.sealer.forget(subject)
        self.fetch((subject,))

    def secret(self, name: str) -> bytes:
        """32 bytes of the installation's own, kept like a subject's key, and made when first asked for."""
        subject = f"secret:{name}"
        row: Any = self.connection.execute(
            "SELECT master, wrapped FROM subject_keys WHERE subject=?", (subject,)
        ).fetchone()
        if row is not None:
            return self.sealer.masters.unwrap(WrappedKey(*row))
        return self.renew_secret(name)

    def renew_secret(self, name: str) -> bytes:
        """Replace a secret, in the open transaction if there is one; what the old one signed is void."""
        secret = self._randomness(32)
        stored = self.sealer.masters.wrap(secret)
        self.connection.execute(
            "INSERT OR REPLACE INTO subject_keys VALUES (?, ?, ?)", (f"secret:{name}", stored.master, stored.wrapped)
        )
        return secret

    def rewrap(self, masters: MasterKeys, limit: int) -> int:
        """Wrap up to `limit` keys of older master keys with the current one; how many were."""
        rows = cast(
            list[tuple[str, str, bytes]],
            self.connection.execute(
                "SELECT subject, master, wrapped FROM subject_keys WHERE master <> ? AND wrapped IS NOT NULL LIMIT ?",
                (masters.current, limit),
            ).fetchall(),
        )
        for subject, master, wrapped in rows:
            stored = masters.wrap(masters.unwrap(WrappedKey(master, wrapped)))
            self.connection.execute(
                "UPDATE subject_keys SET master=?, wrapped=? WHERE subject=?",
                (stored.master, stored.wrapped, subject),
            )
        return len(rows)
