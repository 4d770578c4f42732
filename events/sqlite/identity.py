"""The identity of a log: made with log.db, kept in it for ever, remembered by whatever is made from it.

A backup has the identity of the log it is a copy of.
"""

from __future__ import annotations

from collections.abc import Callable

import apsw

from ..ids import from_bytes

_DDL = "CREATE TABLE IF NOT EXISTS identity (id TEXT NOT NULL)"
_THERE = "SELECT 1 FROM sqlite_schema WHERE name='identity'"


def give_identity(connection: apsw.Connection, randomness: Callable[[int], bytes]) -> str:
    """The log's identity, made where it has none yet; within the caller's transaction.

    A log of the time before identities is called by its oldest event, so that a backup of that time gets the same one.
    """
    connection.execute(_DDL)
    known = connection.execute("SELECT id FROM identity").get
    if known is not None:
        return str(known)
    oldest = connection.execute("SELECT id FROM records ORDER BY position LIMIT 1").get
    made = randomness(16).hex() if oldest is None else from_bytes(bytes(oldest)).replace("-", "")
    connection.execute("INSERT INTO identity VALUES (?)", (made,))
    return made


def identity(connection: apsw.Connection) -> str:
    """The log's identity, for who only reads; "" where its owner has not given it one yet."""
    if connection.execute(_THERE).get is None:
        return ""
    return str(connection.execute("SELECT id FROM identity").get or "")
