"""The outbox: events that are decided and durable, on their way into the log.

A row waits until it is published. Of one entity the rows are published in the order of their numbers, one at a time:
by the process that wrote them, which holds them for a second (`owner`, `expires`, by the server's clock), or, once
they are handed back or their time is over, by the relay. Whoever publishes a row notes the positions just past it.
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
"""The channel that says: something was handed back. The relay listens."""

_encode = msgspec.json.Encoder().encode
_about = msgspec.json.Decoder(Envelope).decode


class Waiting(NamedTuple):
    """A row that waits, as whoever publishes it sees it. `free`: nobody holds it."""

    number: int
    record: Outgoing
    free: bool


class Remembering(NamedTuple):
    """An answer to be kept with an idempotency key; `rows` are those of the insert that its command wrote.

    `headers` are encoded, `positions` those of a command that wrote nothing.
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
    """Append rows, each held by an owner or handed to the relay, move their entities on, and keep answers.

    One statement, which answers the rows' numbers in order.
    """
    rows = [
        (place, one.topic, one.key, one.about.id, one.type, one.version, one.value, _encode(one.about), owner)
        for place, (one, owner) in enumerate(records)
    ]
    kept = [(*answer[:-1], answer.rows.start + 1, answer.rows.stop) for answer in answers]
    return _INSERT, (sets.value(_RECORD, rows), sets.value(_ANSWER, kept))


class EntityState(NamedTuple):
    """What is noted of an entity. `newest` is "" where it has no event yet.

    `positions` are those just past its newest event, None while that waits; then `owner` says who holds it.
    """

    newest: str = ""
    number: int = 0
    positions: str | None = ""
    owner: str | None = None

    @property
    def waits(self) -> bool:
        """Whether its newest event is not in the log yet."""
        return self.positions is None


async def note(connection: Connection, published: Sequence[tuple[int, str]]) -> None:
    """Note rows as published, with their positions; what was noted already stays as it is. In one transaction.

    Not forced to the disk: a note that is lost makes a copy, and law 4 takes care of that.
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
    """Leave rows to the relay, and wake it."""
    async with connection.transaction():
        await connection.execute(
            "UPDATE outbox SET owner=NULL, expires=NULL WHERE number = ANY(%s::bigint[]) AND published IS NULL",
            (list(numbers),),
        )
        await connection.execute("SELECT pg_notify(%s, '')", (WAITING,))


async def count_waiting(connection: Connection, most: int) -> int:
    """How many rows wait, up to `most`."""
    [(count,)] = await select(
        connection, "SELECT count(*) FROM (SELECT 1 FROM outbox WHERE published IS NULL LIMIT %s) AS waiting", (most,)
    )
    return int(count)


class Depth(NamedTuple):
    """Rows that wait, and when the oldest of them was decided; None where none waits."""

    rows: int = 0
    oldest: Millis | None = None


async def depth(connection: Connection) -> Depth:
    """How many rows wait, and since when."""
    [(rows, oldest)] = await select(connection, "SELECT count(*), min(id) FROM outbox WHERE published IS NULL")
    return Depth(int(rows), None if oldest is None else millis(oldest))


async def waiting(connection: Connection, limit: int) -> list[Waiting]:
    """The rows that wait, oldest first."""
    rows = await select(
        connection,
        "SELECT number, topic, key, type, version, value, about, owner IS NULL OR expires < clock_timestamp()"
        " FROM outbox WHERE published IS NULL ORDER BY number LIMIT %s",
        (limit,),
    )
    return [
        Waiting(number, Outgoing(topic, key, type_, version, value, _about(about)), free)
        for number, topic, key, type_, version, value, about, free in rows
    ]


async def prune(connection: Connection, after_s: float, limit: int) -> int:
    """Forget up to `limit` rows that were published more than `after_s` seconds ago; how many were.

    What an entity's newest event has for positions stays with the entity; and the log is noted to be in the decision
    state as far as these rows reach.
    """
    async with connection.transaction():
        # Only the lowest numbers are looked at: asking all of an hour's rows for their age takes a scan.
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
    """The positions of rows that there are; None for those that wait."""
    rows = await select(
        connection, "SELECT number, positions FROM outbox WHERE number = ANY(%s::bigint[])", (list(numbers),)
    )
    return dict(rows)
