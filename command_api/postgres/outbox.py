"""The outbox: durable events that wait to be published to the log.

The rows of an entity are published in the order of their numbers, one at a time. The process that wrote a row holds a
lease on it for a second (`owner`, `expires`, by the clock of the server) and publishes it. After the lease has expired
or was handed back, the relay publishes the row. The publisher stores the positions just after the row.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from typing import NamedTuple

import msgspec

from events.event import Envelope
from events.ids import Millis, millis
from events.log import Positions
from events.postgres.connections import Connection, Statement, select
from events.publishing import Outgoing

from . import sets

LEASE_S = 1.0
WAITING = "minitwitter_outbox"
"""The channel on which processes notify the relay of rows that they handed back."""

_encode = msgspec.json.Encoder().encode
_about = msgspec.json.Decoder(Envelope).decode


class WaitingRow(NamedTuple):
    """A row that waits to be published. `free`: no process holds a lease on it."""

    number: int
    record: Outgoing
    free: bool


class Remembering(NamedTuple):
    """An answer to store with an idempotency key; `rows` is the slice of the inserted rows that its command wrote.

    `headers` are encoded. `positions` are for a command that wrote no events.
    """

    account: str
    key: str
    fingerprint: bytes
    status: int
    body: bytes
    headers: bytes
    positions: str
    at: int
    rows: slice


_RECORD = {
    "place": "integer", "topic": "text", "key": "text", "id": "text", "type": "text", "version": "integer",
    "value": "bytea", "about": "bytea", "owner": "text",
}  # fmt: skip
_ANSWER = {
    "account": "text", "key": "text", "fingerprint": "bytea", "status": "integer", "body": "bytea", "headers": "bytea",
    "positions": "text", "at": "bigint", "first": "integer", "last": "integer",
}  # fmt: skip
_INSERT = (
    "WITH rows AS (INSERT INTO outbox (topic, key, id, type, version, value, about, owner, expires)"
    " SELECT topic, key, id, type, version, value, about, owner,"
    f" CASE WHEN owner IS NOT NULL THEN clock_timestamp() + interval '{LEASE_S} s' END"
    f" FROM {sets.rows(_RECORD)} ORDER BY place RETURNING number, topic, key, id),"
    " newest AS (INSERT INTO entities (topic, key, newest, number)"
    " SELECT DISTINCT ON (topic, key) topic, key, id, number FROM rows ORDER BY topic, key, number DESC"
    " ON CONFLICT (topic, key) DO UPDATE SET newest=excluded.newest, number=excluded.number, positions=NULL),"
    " written AS (SELECT coalesce(array_agg(number ORDER BY number), '{}') AS numbers FROM rows),"
    " answers AS (INSERT INTO idempotency (account, key, fingerprint, status, body, headers, positions, outbox, at)"
    " SELECT account, key, fingerprint, status, body, headers, positions, numbers[first:last], at"
    f" FROM {sets.rows(_ANSWER)}, written"
    " ON CONFLICT (account, key) DO UPDATE SET fingerprint=excluded.fingerprint, status=excluded.status,"
    " body=excluded.body, headers=excluded.headers, positions=excluded.positions, at=excluded.at,"
    " outbox=excluded.outbox)"
    " SELECT numbers FROM written"
)


def insert(records: Sequence[tuple[Outgoing, str | None]], answers: Iterable[Remembering] = ()) -> Statement:
    """Insert rows, each with the lease of an owner or for the relay; update their entities, and store answers.

    This is one statement, which returns the numbers of the rows in order.
    """
    rows = [
        (place, one.topic, one.key, one.about.id, one.type, one.version, one.value, _encode(one.about), owner)
        for place, (one, owner) in enumerate(records)
    ]
    kept = [(*answer[:-1], answer.rows.start + 1, answer.rows.stop) for answer in answers]
    return _INSERT, (sets.value(_RECORD, rows), sets.value(_ANSWER, kept))


class EntityState(NamedTuple):
    """The stored state of an entity: `newest` is the id of its newest event, "" if it has none.

    `positions` are those just after the newest event, None while it waits in the outbox; then `owner` holds its lease.
    """

    newest: str = ""
    number: int = 0
    positions: str | None = ""
    owner: str | None = None

    @property
    def waits(self) -> bool:
        """Whether the newest event of the entity still waits to be published."""
        return self.positions is None


async def note(connection: Connection, published: Sequence[tuple[int, str]]) -> None:
    """Mark rows as published with their positions, in one transaction; marked rows do not change.

    The commit is not synced: after a lost mark the row is published again as a copy, which law 4 makes harmless.
    """
    async with connection.transaction():
        await connection.execute("SET LOCAL synchronous_commit = off")
        await connection.execute(
            "UPDATE outbox SET published=clock_timestamp(), positions=new.positions, value='', about='', owner=NULL,"
            " expires=NULL FROM unnest(%s::bigint[], %s::text[]) AS new (number, positions)"
            " WHERE outbox.number = new.number AND published IS NULL",
            ([number for number, _ in published], [positions for _, positions in published]),
        )


async def hand_back(connection: Connection, numbers: Sequence[int]) -> None:
    """Hand rows back to the relay, and notify it."""
    async with connection.transaction():
        await connection.execute(
            "UPDATE outbox SET owner=NULL, expires=NULL WHERE number = ANY(%s::bigint[]) AND published IS NULL",
            (list(numbers),),
        )
        await connection.execute("SELECT pg_notify(%s, '')", (WAITING,))


async def count_waiting(connection: Connection, most: int) -> int:
    """Count the waiting rows, up to `most`."""
    [(count,)] = await select(
        connection, "SELECT count(*) FROM (SELECT 1 FROM outbox WHERE published IS NULL LIMIT %s) AS waiting", (most,)
    )
    return int(count)


class Depth(NamedTuple):
    """The number of waiting rows, and when the oldest was decided; None if no row waits."""

    rows: int = 0
    oldest: Millis | None = None


async def depth(connection: Connection) -> Depth:
    """Return the number of waiting rows and the age of the oldest."""
    [(rows, oldest)] = await select(connection, "SELECT count(*), min(id) FROM outbox WHERE published IS NULL")
    return Depth(int(rows), None if oldest is None else millis(oldest))


async def waiting(connection: Connection, limit: int) -> list[WaitingRow]:
    """Return up to `limit` waiting rows, oldest first."""
    rows = await select(
        connection,
        "SELECT number, topic, key, type, version, value, about, owner IS NULL OR expires < clock_timestamp()"
        " FROM outbox WHERE published IS NULL ORDER BY number LIMIT %s",
        (limit,),
    )
    return [
        WaitingRow(number, Outgoing(topic, key, type_, version, value, _about(about)), free)
        for number, topic, key, type_, version, value, about, free in rows
    ]


async def prune(connection: Connection, after_s: float, limit: int) -> int:
    """Delete up to `limit` rows that were published more than `after_s` seconds ago; return how many.

    The positions of an entity's newest event are kept with the entity. `noted_positions` advance to those of the
    deleted rows: the decision state has all events before them.
    """
    async with connection.transaction():
        # Only the lowest numbers are read: a search of all rows of an hour by age would take a scan.
        gone = await select(
            connection,
            "WITH gone AS (DELETE FROM outbox WHERE number IN (SELECT number FROM"
            " (SELECT number, published FROM outbox ORDER BY number LIMIT %s) AS oldest"
            " WHERE published < clock_timestamp() - make_interval(secs => %s))"
            " RETURNING topic, key, number, positions),"
            " kept AS (UPDATE entities AS e SET positions = gone.positions FROM gone"
            " WHERE (e.topic, e.key, e.number) = (gone.topic, gone.key, gone.number))"
            " SELECT positions FROM gone",
            (limit, after_s),
        )
        if gone:
            [(noted,)] = await select(connection, "SELECT positions FROM noted_positions FOR UPDATE")
            positions = Positions.parse(noted)
            for (text,) in gone:
                positions = positions.merged(Positions.parse(text))
            await connection.execute("UPDATE noted_positions SET positions=%s", (str(positions),))
    return len(gone)


async def positions_of(connection: Connection, numbers: Iterable[int]) -> dict[int, str | None]:
    """Return the positions of existing rows by number; None for a row that waits."""
    rows = await select(
        connection, "SELECT number, positions FROM outbox WHERE number = ANY(%s::bigint[])", (list(numbers),)
    )
    return dict(rows)
