"""The decision state folded from the log: from nothing, or onto what a database restored from the past has of it.

Laws 2 and 4 for what decisions ask. Tables have the rows that the embedded profile's have, so digests are the same.
"""

from __future__ import annotations

import asyncio
import logging
import time
from collections.abc import AsyncIterator, Awaitable, Callable, Iterable, Iterator, Mapping, Sequence
from contextlib import asynccontextmanager
from typing import Any, NamedTuple, Protocol

from events.digest import unordered_digest
from events.event import Event
from events.first_copies import Entity, first_copies
from events.fitting import Mark, Marks
from events.log import CorruptLog, Positions, Record, TopicPartition, positions_after
from events.partitioning import partition_of
from events.personal import SessionEnded
from events.postgres.connections import Connection, Pool, Statement, available, select
from events.sealing import KeyUnknown
from events.topics import TOPICS, Kind

from ..decision_rows import BY_NAME
from ..decision_state import DecisionState
from ..left_out import NOTHING, LeftOut
from .credentials import REVOKED
from .outbox import count_waiting
from .rows import PostgresDecisionRows, in_order
from .writing import STATE_LOCK

Digest = dict[str, tuple[int, str]]
"""Of each table, how many rows it has, and a digest over them whatever their order."""

SOURCES = tuple(topic.name for topic in TOPICS.values() if topic.kind is Kind.SOURCE)
_FETCHED = 2_000
_SNAPSHOT = b"SET TRANSACTION ISOLATION LEVEL REPEATABLE READ READ ONLY"
_SETTLES_S = 2.0
"""How long commands wait at most for what was decided to be in the log: they give up after 5 s."""
_LOOK_S = 0.01
_PASS_OVER_NUMBERS = b"SELECT setval('outbox_number_seq', nextval('outbox_number_seq') + 10000000000)"
"""More rows than there were since any backup: clients have tokens that name those, and no other row may be taken for
one of them. 100 days at 1,000 rows a second, and the numbers of a token (13 digits) last for 1,000 restores."""

_NEWEST_PUBLISHED = (
    "SELECT topic, key, id, positions FROM outbox WHERE published IS NOT NULL ORDER BY number DESC LIMIT 20000"
)
"""An hour's rows may be millions."""
_ALL_PUBLISHED = (
    "SELECT split_part(position, ':', 1), max(split_part(position, ':', 2)::bigint)"
    " FROM outbox, string_to_table(positions, ',') AS position GROUP BY 1"
)

_log = logging.getLogger(__name__)


class OutboxNotEmpty(Exception):
    """Events wait that are not in the log yet: the relay has to publish them before the state can be folded from it."""


class Source(Protocol):
    """The part of the EventLog port that folding needs."""

    async def read(
        self, after: Mapping[TopicPartition, int], limit: int, topics: Iterable[str] | None = None
    ) -> list[Record]:
        """Up to `limit` records from `after` on, of these topics."""
        ...


class Snapshot(NamedTuple):
    """The decision state at the positions that it reflects."""

    positions: Positions
    digest: Digest


async def decision_digest(connection: Connection, left_out: LeftOut = NOTHING) -> Digest:
    """The digest of every table of the decision state, as of one moment, without what is left out. 4 us a row."""
    async with connection.transaction():
        await connection.execute(_SNAPSHOT)
        return await _digest(connection, left_out)


async def _digest(connection: Connection, left_out: LeftOut) -> Digest:
    digest = {}
    for table in BY_NAME:
        rows = total = 0
        async with connection.cursor(name="digest") as cursor:
            await cursor.execute(left_out.rows(table).encode())
            while some := await cursor.fetchmany(_FETCHED):
                counted, summed = unordered_digest(some)
                rows, total = rows + counted, total + summed & (1 << 128) - 1
        digest[table] = (rows, f"{total:032x}")
    return digest


async def live_snapshot(pool: Pool, ends: Callable[[], Awaitable[Positions]], left_out: LeftOut = NOTHING) -> Snapshot:
    """The digest of the state that commands decide on, at the ends of the log, without what is left out.

    Commands wait until what was decided is in the log and a snapshot has begun, a few ms; the digest is made beside
    them. Raises OutboxNotEmpty where events go on waiting, LogUnavailable.
    """
    async with available(), pool.connection() as connection:
        await connection.set_autocommit(True)
        try:
            await connection.execute("SET statement_timeout = 0")
            await connection.execute("SET idle_in_transaction_session_timeout = 0")
            await connection.execute("SET enable_seqscan = on")  # whole tables, for once
            async with _settled(pool):
                positions = await ends()
                await connection.execute("BEGIN")
                await connection.execute(_SNAPSHOT)
                await connection.execute("SELECT 1")  # the snapshot is taken by the first query
            return Snapshot(positions, await _digest(connection, left_out))
        finally:
            await connection.close()  # it has settings of its own; the pool makes another


async def derive_decision_state(
    log: Source,
    pool: Pool,
    email_key: bytes,
    until: Positions,
    on_batch: Callable[[int], None] = lambda events: None,
    limit: int = 5000,
    left_out: LeftOut = NOTHING,
) -> int:
    """Fold the log up to `until` into tables that are empty and that nobody decides on; how many events were folded.

    Entities that are left out are not folded. Raises as a rebuild does.
    """
    async with available(), pool.connection() as connection:
        await connection.set_autocommit(True)
        return await _fold(log, connection, email_key, Positions(), until, on_batch, limit, left_out=left_out)


async def noted_positions(pool: Pool) -> Positions:
    """Whatever stands in the log before these is in the decision state: at most an hour and a little behind."""
    async with available(), pool.connection() as connection:
        [(text,)] = await select(connection, "SELECT positions FROM noted_positions")
    return Positions.parse(text)


async def rebuild_decision_state(
    log: Source,
    pool: Pool,
    email_key: bytes,
    ends: Callable[[], Awaitable[Positions]],
    on_batch: Callable[[int], None] = lambda events: None,
    limit: int = 5000,
) -> int:
    """Forget the decision state and fold the log from zero up to its `ends`; how many events were folded.

    Nothing is decided meanwhile, in any process; those that run find another lineage and start again. Copies are
    dropped, as by every processor. Raises what reading the log does, CorruptLog where the log ends before,
    OutboxNotEmpty, LogUnavailable.
    """
    async with _settled(pool) as connection:
        until = await ends()
        async with connection.transaction():
            await connection.execute(f"TRUNCATE {', '.join(BY_NAME)}, entities".encode())
            await connection.execute("UPDATE noted_positions SET positions='', lineage=gen_random_uuid()")
            await connection.execute("DELETE FROM outbox WHERE published IS NOT NULL")  # as of another log, perhaps
        return await _fold(log, connection, email_key, Positions(), until, on_batch, limit)


async def catch_up(log: Source, pool: Pool, email_key: bytes, until: Positions, limit: int = 5000) -> int:
    """Fold what the log has up to `until` and the decision state has not: after a restore from a backup.

    Most of what is read from the noted positions on is there already, and is dropped like copies. How many events
    were folded. Sessions that ended since end again, numbers of the outbox that were given since are not given again,
    and processes that began before the restore find another lineage. Raises as a rebuild does.
    """
    async with _settled(pool) as connection:
        [(text,)] = await select(connection, "SELECT positions FROM noted_positions")
        noted = Positions.parse(text)
        if noted.covers(_of_sources(until)):
            return 0  # another process was first
        folded = await _fold(log, connection, email_key, noted, until, lambda events: None, limit, _ended_again)
        async with connection.transaction():
            await connection.execute(_PASS_OVER_NUMBERS)
            await connection.execute("UPDATE noted_positions SET lineage=gen_random_uuid()")
        return folded


async def lineage(pool: Pool) -> str:
    """What changes when the database is restored from the past and brought up to the log again."""
    async with available(), pool.connection() as connection:
        [(text,)] = await select(connection, "SELECT lineage::text FROM noted_positions")
    return str(text)


async def lacking(pool: Pool, ends: Positions, partitions: int) -> Positions:
    """Those ends of the sources' `partitions` that nothing decided here reaches: what a restore forgot.

    None on a database that was never restored, a moment after it published. Partitions that rows wait for may be
    further than is noted, and say nothing. Where the newest rows do not explain all ends, every row is looked at.
    """
    known = Positions({place: mark.next for place, mark in (await marks(pool, partitions)).items()})
    if known.covers(_of_sources(ends)):
        return Positions()
    async with available(), pool.connection() as connection:
        await connection.execute("SET LOCAL statement_timeout = 0")
        await connection.execute("SET LOCAL enable_seqscan = on")
        published = await select(connection, _ALL_PUBLISHED)
        waiting = await select(connection, "SELECT DISTINCT topic, key FROM outbox WHERE published IS NULL")
    known = known.merged(Positions.parse(",".join(f"{place}:{end}" for place, end in published)))
    unsure = {TopicPartition(topic, partition_of(key, partitions)) for topic, key in waiting}
    return Positions(
        (place, end) for place, end in _of_sources(ends).items() if end > known.get(place, 0) and place not in unsure
    )


async def marks(pool: Pool, partitions: int) -> Marks:
    """How far this state knows the log: by the newest rows of the outbox, with their events, and the noted positions.

    All of it stood in the log before this was asked. No event is known of a partition that none of the rows is in, and
    none where one command wrote to several entities of it. Raises LogUnavailable.
    """
    async with available(), pool.connection() as connection:
        rows = await select(connection, _NEWEST_PUBLISHED)
        [(text,)] = await select(connection, "SELECT positions FROM noted_positions")  # with what was pruned since
    reached = Positions.parse(text)
    events: dict[TopicPartition, dict[str, str]] = {place: {} for place in reached}
    for topic, key, id_, positions in rows:
        own = TopicPartition(topic, partition_of(key, partitions))
        for place, next_ in Positions.parse(positions).items():  # those of the command that wrote the row
            if next_ > reached.get(place, 0):
                reached[place], events[place] = next_, {}
            if next_ == reached[place] and place == own:
                events[place].setdefault(key, id_)
    return {
        place: Mark(next_, *(events[place].values() if len(events[place]) == 1 else ()))
        for place, next_ in reached.items()
    }


def _of_sources(positions: Mapping[TopicPartition, int]) -> Positions:
    return Positions((place, offset) for place, offset in positions.items() if place.topic in SOURCES)


@asynccontextmanager
async def _settled(pool: Pool) -> AsyncIterator[Connection]:
    """A connection while no process decides anything, and all that was decided is in the log.

    Commands share the lock that is taken here.
    """
    async with available(), pool.connection() as connection:
        await connection.set_autocommit(True)
        try:
            await connection.execute("SET statement_timeout = 0")
            await connection.execute("SELECT pg_advisory_lock(%s)", (STATE_LOCK,))
            deadline = time.monotonic() + _SETTLES_S
            while await count_waiting(connection, 1):
                if time.monotonic() > deadline:
                    raise OutboxNotEmpty("events wait in the outbox; run the relay until it has published them")
                await asyncio.sleep(_LOOK_S)
            yield connection
        finally:
            await connection.close()  # the lock goes with it; the pool makes another


async def _fold(
    log: Source,
    connection: Connection,
    email_key: bytes,
    positions: Positions,
    until: Positions,
    on_batch: Callable[[int], None],
    limit: int,
    also: Callable[[Event], Sequence[Statement]] = lambda event: (),
    left_out: LeftOut = NOTHING,
) -> int:
    """Fold events of entities that are not left out, and execute the statements that `also` has for each."""
    until = _of_sources(until)
    folded = 0
    while not positions.covers(until):
        records = await log.read(positions, limit, SOURCES)
        if not records:
            raise CorruptLog(f"the log ends at {positions}, and should reach {until}")
        positions = positions_after(records, positions)
        wanted = [record for record in records if record.offset < until.get(record.place, 0)]
        rows = PostgresDecisionRows()
        fold = DecisionState(rows, email_key)
        others: list[Statement] = []
        async with connection.transaction():
            decided = list(_decided(record for record in wanted if not left_out.has(record)))
            newest = await _newest(connection, decided)
            fresh = first_copies(decided, newest)
            for record in fresh:
                if record.event is not None:
                    fold.handle(record.event, record.about)
                    others += also(record.event)
                    folded += 1
            async with connection.pipeline():
                for sql, values in (*in_order(rows.written), *others):
                    await connection.execute(sql.encode(), values)
                await _move_on(connection, fresh)
                reached = {place: min(offset, until.get(place, 0)) for place, offset in positions.items()}
                await connection.execute("UPDATE noted_positions SET positions=%s", (str(Positions(reached)),))
        on_batch(len(wanted))
    return folded


def _ended_again(event: Event) -> Sequence[Statement]:
    """What the end of a session changes beside the decision state."""
    if not isinstance(event, SessionEnded):
        return ()
    now = int(time.time() * 1000)
    return (
        ("DELETE FROM refresh_tokens WHERE session=%s", (event.session,)),
        ("INSERT INTO revoked_sessions VALUES (%s, %s) ON CONFLICT DO NOTHING", (event.session, now)),
        ("SELECT pg_notify(%s, %s)", (REVOKED, f"{event.session} {now}")),
    )


def _decided(records: Iterable[Record]) -> Iterator[Record]:
    """The records without those that somebody else wrote into the log: no command decided them. Raises CorruptLog.

    A record whose key is unknown may be decided here: without it the state would be another.
    """
    for record in records:
        if record.fault.startswith(KeyUnknown.__name__):
            raise CorruptLog(f"{record.position}: {record.fault}")
        if record.fault:
            _log.warning("%s is left out of the decision state: %s", record, record.fault)
        else:
            yield record


async def _newest(connection: Connection, records: Sequence[Record]) -> dict[Entity, str]:
    entities = list({(record.topic, record.key) for record in records})
    rows: list[tuple[Any, ...]] = await select(
        connection,
        "SELECT topic, key, newest FROM entities WHERE (topic, key) IN (SELECT * FROM unnest(%s::text[], %s::text[]))",
        ([topic for topic, _ in entities], [key for _, key in entities]),
    )
    return {(topic, key): newest for topic, key, newest in rows}


async def _move_on(connection: Connection, records: Sequence[Record]) -> None:
    """The entities' newest events, and where those end in the log."""
    last = {(record.topic, record.key): record for record in records}
    await connection.execute(
        "INSERT INTO entities (topic, key, newest, number, positions)"
        " SELECT topic, key, newest, 0, positions FROM unnest(%s::text[], %s::text[], %s::text[], %s::text[])"
        " AS new (topic, key, newest, positions) ON CONFLICT (topic, key)"
        " DO UPDATE SET newest=excluded.newest, number=0, positions=excluded.positions",
        (
            [topic for topic, _ in last],
            [key for _, key in last],
            [record.about.id for record in last.values()],
            [f"{record.place}:{record.offset + 1}" for record in last.values()],
        ),
    )
