"""Keys and passwords on their way into Kafka's topic `keys`, where they outlive this database.

The row itself says whether the topic has it as it is, so nothing is published before it is committed, and nothing
committed is forgotten. Keys go ahead of the first event that is sealed with them; the rest follows within seconds.
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
"""Passwords are sealed under it, as events are under their type."""

KEY = {"subject": "text", "master": "text", "wrapped": "bytea"}
_KEYS_PUBLISHED = (
    f"UPDATE subject_keys AS old SET published=true FROM {sets.rows(KEY)}"
    " WHERE old.subject=new.subject AND old.master=new.master AND old.wrapped IS NOT DISTINCT FROM new.wrapped"
)


class KeptKeys:
    """Publishes keys as they are stored, wrapped: whoever does it cannot open them."""

    def __init__(self, pool: Pool, topic: KeptTopic) -> None:
        self._pool = pool
        self._topic = topic

    async def publish(self, keys: Sequence[KeptKey]) -> Positions:
        """Publish keys that were committed just now; `note_published` is to be told. Raises LogUnavailable."""
        return await self._topic.publish(keys)

    async def publish_of(self, subjects: Iterable[str]) -> None:
        """Publish those of the subjects' keys that the topic has not. Raises LogUnavailable."""
        wanted = list(dict.fromkeys(subjects))

        async def work(connection: Connection) -> int:
            return await publish_keys(connection, self._topic, "subject = ANY(%s::text[])", wanted)

        await run(self._pool, work)


class KeptRows:
    """Publishes keys and passwords that wait, in the background. Only for who has the master key."""

    def __init__(self, pool: Pool, keys: PostgresKeys, topic: KeptTopic) -> None:
        self._pool = pool
        self._keys = keys
        self._topic = topic

    async def publish_waiting(self, most: int = AT_ONCE) -> int:
        """Publish up to `most` keys, and as many passwords, that the topic has not; how many it were.

        A password that is changed meanwhile waits, so that the topic has the changes in order. Raises LogUnavailable.
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
    """Publish keys that the topic has not, of those that a condition names; how many it were. Raises LogUnavailable."""
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
    """Note that the topic has these keys as they are here, up to these positions; once in a transaction.

    Whoever does it has the rows of the keys before that of the positions, in one order, so that none waits for another
    who waits for it.
    """
    await connection.execute(_KEYS_PUBLISHED.encode(), (sets.value(KEY, sorted(map(row_of, keys), key=itemgetter(0))),))
    await _reached(connection, positions)


async def declare_lost(connection: Connection, subjects: Sequence[str]) -> None:
    """Note that the keys of subjects that have none are destroyed; the topic is to be told."""
    await connection.execute(
        "INSERT INTO subject_keys (subject, master, wrapped)"
        " SELECT subject, '', NULL FROM unnest(%s::text[]) AS subject ON CONFLICT DO NOTHING",
        (list(subjects),),
    )


def row_of(key: KeptKey) -> tuple[str, str, bytes | None]:
    """The columns of KEY."""
    return key.subject, key.master, key.wrapped


async def kept_positions(connection: Connection, lock: str = "") -> Positions:
    """Whatever stands in the topic before these is in the tables."""
    [(text,)] = await select(connection, f"SELECT positions FROM kept_positions {lock}")
    return Positions.parse(text)


async def _reached(connection: Connection, positions: Positions) -> None:
    before = await kept_positions(connection, "FOR UPDATE")
    await connection.execute("UPDATE kept_positions SET positions=%s", (str(before.merged(positions)),))
