"""The identity of a log: created with log.db, stored in it for ever, and noted by every store that is built from it.

A backup has the identity of the log that it is a copy of.
"""

from __future__ import annotations

from collections.abc import Callable

import apsw

from ..ids import from_bytes

_DDL = "CREATE TABLE IF NOT EXISTS identity (id TEXT NOT NULL)"
_THERE = "SELECT 1 FROM sqlite_schema WHERE name='identity'"


def give_identity(connection: apsw.Connection, randomness: Callable[[int], bytes]) -> str:
    """Return the log's identity, and create it if the log has none; within the caller's transaction.

    A log from before identities existed gets one from its oldest event's id, so a backup of it gets the same.
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
    """Read the log's identity; "" if its owner has not given it one yet."""
    if connection.execute(_THERE).get is None:
        return ""
    return str(connection.execute("SELECT id FROM identity").get or "")
