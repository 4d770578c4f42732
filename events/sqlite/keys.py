"""Subjects' keys on SQLite, wrapped by the master key: a table of log.db, not part of the log."""

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
    """Fetches and creates subjects' keys for a sealer, on one connection."""

    def __init__(
        self, connection: apsw.Connection, sealer: Sealer, randomness: Callable[[int], bytes] = os.urandom
    ) -> None:
        self.connection = connection
        self.sealer = sealer
        self._randomness = randomness

    def fetch(self, subjects: Iterable[str]) -> None:
        """Give the sealer the keys that it lacks. Subjects without a key are left out."""
        for subject in self.sealer.missing(subjects):
            row = self.connection.execute(
                "SELECT master, wrapped FROM subject_keys WHERE subject=?", (subject,)
            ).fetchone()
            if row is not None:
                self.sealer.learn({subject: WrappedKey(*row)})

    def create(self, subject: str) -> None:
        """Create the key of a new subject, in the open transaction. An existing key stays."""
        stored = self.sealer.masters.wrap(self._randomness(32))
        self.connection.execute(
            "INSERT INTO subject_keys VALUES (?, ?, ?) ON CONFLICT DO NOTHING",
            (subject, stored.master, stored.wrapped),
        )
        self.sealer.forget(subject)
        self.fetch((subject,))

    def secret(self, name: str) -> bytes:
        """Return a secret of the installation, 32 bytes stored like a subject's key; the first call creates it."""
        subject = f"secret:{name}"
        row: Any = self.connection.execute(
            "SELECT master, wrapped FROM subject_keys WHERE subject=?", (subject,)
        ).fetchone()
        if row is not None:
            return self.sealer.masters.unwrap(WrappedKey(*row))
        return self.renew_secret(name)

    def renew_secret(self, name: str) -> bytes:
        """Replace a secret, in the open transaction if there is one. Signatures made with the old one become void."""
        secret = self._randomness(32)
        stored = self.sealer.masters.wrap(secret)
        self.connection.execute(
            "INSERT OR REPLACE INTO subject_keys VALUES (?, ?, ?)", (f"secret:{name}", stored.master, stored.wrapped)
        )
        return secret

    def rewrap(self, masters: MasterKeys, limit: int) -> int:
        """Wrap up to `limit` keys of older master keys with the current one; return how many were wrapped."""
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
