"""Publish keys and passwords to Kafka's topic `keys`, a copy that survives the loss of this database.

Each row has a flag that tells whether the topic has its current value. So only committed rows are published, and no
committed row is missed. Keys are published before the first event that is sealed with them; the others follow within
seconds.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from operator import itemgetter

from events.ids import account_number
from events.kept import KeptKey, KeptPassword, KeptTopic
from events.log import Positions
from events.postgres.connections import Connection, Pool, run, select
from events.postgres.keys import PostgresKeys

from . import sets

AT_ONCE = 500
SEALED_AS = "Password"
"""The name under which passwords are sealed, as events are under their type."""

KEY = {"subject": "text", "master": "text", "wrapped": "bytea"}
_KEYS_PUBLISHED = (
    f"UPDATE subject_keys AS old SET published=true FROM {sets.rows(KEY)}"
    " WHERE old.subject=new.subject AND old.master=new.master AND old.wrapped IS NOT DISTINCT FROM new.wrapped"
)


class KeptKeys:
    """Publishes wrapped keys as they are stored; the process needs no master key for it."""

    def __init__(self, pool: Pool, topic: KeptTopic) -> None:
        self._pool = pool
        self._topic = topic

    async def publish(self, keys: Sequence[KeptKey]) -> Positions:
        """Publish keys that were just committed; the caller then calls `note_published`. Raises LogUnavailable."""
        return await self._topic.publish(keys)

    async def publish_of(self, subjects: Iterable[str]) -> None:
        """Publish the keys of these subjects that the topic lacks. Raises LogUnavailable."""
        wanted = list(dict.fromkeys(subjects))

        async def work(connection: Connection) -> int:
            return await publish_keys(connection, self._topic, "subject = ANY(%s::text[])", wanted)

        await run(self._pool, work)


class KeptRows:
    """Publishes waiting keys and passwords in the background. Needs the master key to seal passwords."""

    def __init__(self, pool: Pool, keys: PostgresKeys, topic: KeptTopic) -> None:
        self._pool = pool
        self._keys = keys
        self._topic = topic

    async def publish_waiting(self, most: int = AT_ONCE) -> int:
        """Publish up to `most` keys and `most` passwords that the topic lacks; return how many.

        A change of a password waits for the publication, so that the topic gets the changes in order. Raises
        LogUnavailable.
        """

        async def work(connection: Connection) -> int:
            keys = await publish_keys(connection, self._topic, "subject > %s ORDER BY subject", "", most)
            return keys + await self._publish_passwords(connection, most)

        return await run(self._pool, work)

    async def _publish_passwords(self, connection: Connection, most: int) -> int:
        rows = await select(
            connection,
            "SELECT id, hash, changed FROM passwords WHERE NOT published ORDER BY account LIMIT %s"
            " FOR UPDATE SKIP LOCKED",
            (most,),
        )
        if not rows:
            return 0
        sealer = self._keys.sealer
        await self._keys.fetch_with(connection, [account for account, _, _ in rows])
        passwords = [
            KeptPassword(account, at, sealer.seal(account, SEALED_AS, f"{account}:{at}", hash_))
            for account, hash_, at in rows
            if not sealer.missing([account]) and not sealer.erased(account)
        ]
        sealer.trim()
        if passwords:
            await _reached(connection, await self._topic.publish(passwords))
        await connection.execute(
            "UPDATE passwords SET published=true WHERE account = ANY(%s::bigint[])",
            ([account_number(account) for account, _, _ in rows],),
        )
        return len(rows)


async def publish_keys(connection: Connection, topic: KeptTopic, which: str, value: object, most: int = AT_ONCE) -> int:
    """Publish the keys that match a condition and that the topic lacks; return how many. Raises LogUnavailable."""
    rows = await select(
        connection,
        f"SELECT subject, master, wrapped FROM subject_keys WHERE NOT published AND {which} LIMIT %s"
        " FOR UPDATE SKIP LOCKED",
        (value, most),
    )
    if rows:
        keys = [KeptKey(*row) for row in rows]
        await note_published(connection, keys, await topic.publish(keys))
    return len(rows)


async def note_published(connection: Connection, keys: Sequence[KeptKey], positions: Positions) -> None:
    """Mark these keys as published up to these positions; once in a transaction.

    Locks the rows of the keys in one order, then the row of the positions, so that transactions do not deadlock.
    """
    await connection.execute(_KEYS_PUBLISHED.encode(), (sets.value(KEY, sorted(map(row_of, keys), key=itemgetter(0))),))
    await _reached(connection, positions)


async def declare_lost(connection: Connection, subjects: Sequence[str]) -> None:
    """Mark the keys of subjects without a key as destroyed, to be published to the topic."""
    await connection.execute(
        "INSERT INTO subject_keys (subject, master, wrapped)"
        " SELECT subject, '', NULL FROM unnest(%s::text[]) AS subject ON CONFLICT DO NOTHING",
        (list(subjects),),
    )


def row_of(key: KeptKey) -> tuple[str, str, bytes | None]:
    """Return the columns of KEY for a key."""
    return key.subject, key.master, key.wrapped


async def kept_positions(connection: Connection, lock: str = "") -> Positions:
    """Return the positions in the topic up to which all records are in the tables."""
    [(text,)] = await select(connection, f"SELECT positions FROM kept_positions {lock}")
    return Positions.parse(text)


async def _reached(connection: Connection, positions: Positions) -> None:
    before = await kept_positions(connection, "FOR UPDATE")
    await connection.execute("UPDATE kept_positions SET positions=%s", (str(before.merged(positions)),))
