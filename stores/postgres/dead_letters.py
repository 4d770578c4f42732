"""The dead letters of all groups of the distributed profile, in PostgreSQL, whatever stores the groups use.

A dead letter is durable before a position passes it. If the position is never stored, the record is redelivered, and
its dead letter is put into the same row. Operators' requests are columns of the rows; the worker that has the partition
carries them out.
"""

from __future__ import annotations

import hashlib
from collections.abc import AsyncIterator, Collection, Iterable, Sequence
from contextlib import asynccontextmanager
from typing import Any, Literal

from events.first_copies import Entity
from events.log import TopicPartition
from events.postgres.connections import Pool

from ..dead_letters import COLUMNS, Counts, DeadLetter, letter_of, row_of
from .database import Database, available, fetch
from .pointers import SCHEMA

Asked = Literal["retry", "discard"]

_COLUMNS = ", ".join(COLUMNS)
_HERE = "consumers = %s AND place = %s"
_PUT = f"""
INSERT INTO dead_letters (place, {_COLUMNS}) VALUES (%s{", %s" * len(COLUMNS)})
ON CONFLICT DO NOTHING"""
_PAGE = f"""
SELECT {_COLUMNS} FROM dead_letters WHERE {_HERE} AND (topic, partition, "offset") > (%s, %s, %s)
ORDER BY topic, partition, "offset" LIMIT %s"""
_ASKED = f"""
SELECT asked, {_COLUMNS} FROM dead_letters WHERE {_HERE} AND asked <> '' ORDER BY topic, partition, "offset\""""


def pool_of(url: str) -> Pool:
    """Return a pool of connections for the dead letters of a process, not opened yet."""
    return Database(url, SCHEMA).pool(2)


class PostgresDeadLetters:
    """The DeadLetters port of one group and generation, and the requests of operators."""

    def __init__(self, pool: Pool, consumers: str, generation: str) -> None:
        self._pool = pool
        self._consumers = consumers
        self._generation = generation

    async def put(self, letters: Sequence[DeadLetter]) -> None:
        """Store dead letters, at once. Raises StoreUnavailable."""
        if letters:
            await self._run(_PUT, [(self._generation, *_row(letter)) for letter in letters])

    async def failed_again(self, letter: DeadLetter) -> None:
        """Change the cause and the attempts of a dead letter, and remove the request for it.

        Raises StoreUnavailable.
        """
        await self._run(
            f"UPDATE dead_letters SET cause = %s, attempts = %s, asked = '' WHERE {_HERE} AND topic = %s AND"
            ' partition = %s AND "offset" = %s',
            [(_text(letter.cause), letter.attempts, *self._of(letter))],
        )

    async def remove(self, letters: Collection[DeadLetter]) -> None:
        """Remove dead letters. Raises StoreUnavailable."""
        if letters:
            await self._run(
                f'DELETE FROM dead_letters WHERE {_HERE} AND topic = %s AND partition = %s AND "offset" = %s',
                [self._of(letter) for letter in letters],
            )

    async def page(self, after: tuple[TopicPartition, int] | None = None, limit: int = 1000) -> list[DeadLetter]:
        """Return up to `limit` dead letters after a position, in order. Raises StoreUnavailable."""
        place, offset = after or (TopicPartition("", 0), 0)
        rows = await fetch(self._pool, _PAGE, (self._consumers, self._generation, *place, offset, limit))
        return [letter_of(row) for row in rows]

    async def counts(self) -> Counts:
        """Count the dead letters of the group. Raises StoreUnavailable."""
        [(failed, number)] = await fetch(
            self._pool,
            f"SELECT count(*) FILTER (WHERE cause <> ''), count(*) FROM dead_letters WHERE {_HERE}",
            (self._consumers, self._generation),
        )
        return Counts(int(failed), int(number))

    async def ask(self, what: Asked, letters: Iterable[DeadLetter]) -> None:
        """Request a retry or a discard of dead letters. Raises StoreUnavailable."""
        await self._ask(what, letters)

    async def _ask(self, what: str, letters: Iterable[DeadLetter]) -> None:
        await self._run(
            f'UPDATE dead_letters SET asked = %s WHERE {_HERE} AND topic = %s AND partition = %s AND "offset" = %s',
            [(what, *self._of(letter)) for letter in letters],
        )

    async def done(self, letters: Iterable[DeadLetter]) -> None:
        """Remove the requests for dead letters, which were tried. The letters stay. Raises StoreUnavailable."""
        await self._ask("", letters)

    async def asked(self) -> list[tuple[Asked, DeadLetter]]:
        """Return the requests, in the order of the letters' positions. Raises StoreUnavailable."""
        rows = await fetch(self._pool, _ASKED, (self._consumers, self._generation))
        return [(asked, letter_of(row)) for asked, *row in rows]

    @asynccontextmanager
    async def alone_with(self, entity: Entity) -> AsyncIterator[bool]:
        """Lock an entity against other retries; yield whether it was free.

        Two workers may both believe that they have the entity's partition. The lock takes a connection of its own: with
        the pool's, as many groups as it has would each hold one and wait for another for ever. Raises StoreUnavailable.
        """
        name = "\0".join((self._consumers, self._generation, *entity))
        number = int.from_bytes(hashlib.blake2b(name.encode(), digest_size=8).digest(), "big", signed=True)
        url = self._pool.conninfo
        assert isinstance(url, str)
        async with available(), await Database(url, SCHEMA).connect() as connection, connection.transaction():
            cursor = await connection.execute("SELECT pg_try_advisory_xact_lock(%s)", (number,))
            yield await cursor.fetchone() == (True,)

    async def _run(self, sql: str, values: Sequence[Sequence[Any]]) -> None:
        """Run a statement that is idempotent, once more if the connection was dead."""
        async with available(), self._pool.connection() as connection:
            await connection.cursor().executemany(sql.encode(), values)

    def _of(self, letter: DeadLetter) -> tuple[Any, ...]:
        return self._consumers, self._generation, *letter.place, letter.offset


async def counted(pool: Pool) -> dict[tuple[str, str], Counts]:
    """Count the dead letters of each group and generation; groups without any are left out. Raises StoreUnavailable.

    A letter that an operator asked to retry or discard does not count as failed, since a worker will do it.
    """
    rows = await fetch(
        pool,
        "SELECT consumers, place, count(*) FILTER (WHERE cause <> '' AND asked = ''), count(*) FROM dead_letters"
        " GROUP BY consumers, place",
        (),
    )
    return {(str(group), str(generation)): Counts(int(failed), int(n)) for group, generation, failed, n in rows}


async def forget(pool: Pool, generation: str) -> None:
    """Remove the dead letters of a dropped generation. Raises StoreUnavailable."""
    async with available(), pool.connection() as connection:
        await connection.execute("DELETE FROM dead_letters WHERE place = %s", (generation,))


def _text(text: str) -> str:
    """Return the text without characters that PostgreSQL refuses."""
    return text.replace("\0", "").encode(errors="replace").decode()


def _row(letter: DeadLetter) -> tuple[Any, ...]:
    return tuple(_text(value) if isinstance(value, str) else value for value in row_of(letter))
