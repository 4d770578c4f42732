"""Fold the decision state from the log: from zero, or from the state of a restored database on.

Laws 2 and 4 for the decision state. The tables have the same rows as in the embedded profile, and so the same digests.
"""

from __future__ import annotations

import asyncio
import logging
import time
from collections.abc import AsyncIterator, Awaitable, Callable, Iterable, Iterator, Mapping, Sequence
from contextlib import asynccontextmanager
from typing import Any

from events.digest import unordered_digest
from events.event import Event
from events.first_copies import Entity, first_copies
from events.fitting import Mark, Marks
from events.log import CorruptLog, Positions, Record, RecordReader, TopicPartition, positions_after
from events.partitioning import partition_of
from events.personal import SessionEnded
from events.postgres.connections import Connection, Pool, Statement, available, select
from events.sealing import KeyUnknown
from events.topics import TOPICS, TopicKind

from ..decision_rows import BY_NAME
from ..decision_snapshot import Digest, Snapshot
from ..decision_state import DecisionState
from ..left_out import NOTHING, LeftOut
from .credentials import REVOKED
from .outbox import count_waiting
from .rows import PostgresDecisionRows, in_order
from .writing import STATE_LOCK

SOURCES = tuple(topic.name for topic in TOPICS.values() if topic.kind is TopicKind.SOURCE)
_FETCHED = 2_000
_SNAPSHOT = b"SET TRANSACTION ISOLATION LEVEL REPEATABLE READ READ ONLY"
_SETTLES_S = 2.0
"""Seconds to wait until the outbox is empty. Commands wait meanwhile, and give up after 5 s."""
_LOOK_S = 0.01
_PASS_OVER_NUMBERS = b"SELECT setval('outbox_number_seq', nextval('outbox_number_seq') + 10000000000)"
"""Skip more row numbers than were used since any backup, because tokens of clients still name these rows.

The step is 100 days at 1,000 rows a second; the numbers of a token (13 digits) last for 1,000 restores.
"""

_NEWEST_PUBLISHED = (
    "SELECT topic, key, id, positions FROM outbox WHERE published IS NOT NULL ORDER BY number DESC LIMIT 20000"
)
"""Limited, because the rows of an hour may be millions."""
_ALL_PUBLISHED = (
    "SELECT split_part(position, ':', 1), max(split_part(position, ':', 2)::bigint)"
    " FROM outbox, string_to_table(positions, ',') AS position GROUP BY 1"
)

_log = logging.getLogger(__name__)


class OutboxNotEmpty(Exception):
    """Events wait in the outbox; the relay has to publish them before the state can be folded from the log."""


async def decision_digest(connection: Connection, left_out: LeftOut = NOTHING) -> Digest:
    """Return the digest of every table from one snapshot, without the entities left out. Takes 4 us a row."""
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
    """Return the digest of the live decision state at the ends of the log, without the entities left out.

    Commands wait a few ms, until the outbox is empty and a snapshot has begun; then they go on while the digest is
    computed. Raises OutboxNotEmpty if the outbox does not become empty, LogUnavailable.
    """
    async with available(), pool.connection() as connection:
        await connection.set_autocommit(True)
        try:
            await connection.execute("SET statement_timeout = 0")
            await connection.execute("SET idle_in_transaction_session_timeout = 0")
            await connection.execute("SET enable_seqscan = on")  # here whole tables are read
            async with _settled(pool):
                positions = await ends()
                await connection.execute("BEGIN")
                await connection.execute(_SNAPSHOT)
                await connection.execute("SELECT 1")  # the snapshot is taken by the first query
            return Snapshot(positions, await _digest(connection, left_out))
        finally:
            await connection.close()  # its settings were changed; the pool opens another


async def derive_decision_state(
    log: RecordReader,
    pool: Pool,
    email_key: bytes,
    until: Positions,
    on_batch: Callable[[int], None] = lambda events: None,
    limit: int = 5000,
    left_out: LeftOut = NOTHING,
) -> int:
    """Fold the log up to `until` into empty tables that no command uses; return how many events were folded.

    Entities left out are not folded. Raises as `rebuild_decision_state`.
    """
    async with available(), pool.connection() as connection:
        await connection.set_autocommit(True)
        return await _fold(log, connection, email_key, Positions(), until, on_batch, limit, left_out=left_out)


async def noted_positions(pool: Pool) -> Positions:
    """Return positions in the log up to which all events are in the decision state; they lag by about an hour."""
    async with available(), pool.connection() as connection:
        [(text,)] = await select(connection, "SELECT positions FROM noted_positions")
    return Positions.parse(text)


async def rebuild_decision_state(
    log: RecordReader,
    pool: Pool,
    email_key: bytes,
    ends: Callable[[], Awaitable[Positions]],
    on_batch: Callable[[int], None] = lambda events: None,
    limit: int = 5000,
) -> int:
    """Delete the decision state and fold the log from zero up to its `ends`; return how many events were folded.

    No process decides meanwhile; running command processes find another lineage and end. Copies are dropped. Raises the
    errors of reading the log, CorruptLog if the log ends before `ends`, OutboxNotEmpty and LogUnavailable.
    """
    async with _settled(pool) as connection:
        until = await ends()
        async with connection.transaction():
            await connection.execute(f"TRUNCATE {', '.join(BY_NAME)}, entities".encode())
            await connection.execute("UPDATE noted_positions SET positions='', lineage=gen_random_uuid()")
            await connection.execute(
                "DELETE FROM outbox WHERE published IS NOT NULL"
            )  # their positions may belong to another log
        return await _fold(log, connection, email_key, Positions(), until, on_batch, limit)


async def catch_up(log: RecordReader, pool: Pool, email_key: bytes, until: Positions, limit: int = 5000) -> int:
    """Fold the events up to `until` that the decision state lacks, after a restore from a backup.

    Returns how many events were folded. It reads from the noted positions on, and drops events that the state has, like
    copies. Sessions that ended since the backup are ended again, outbox numbers used since then are skipped, and
    processes that started before the restore find another lineage. Raises as `rebuild_decision_state`.
    """
    async with _settled(pool) as connection:
        [(text,)] = await select(connection, "SELECT positions FROM noted_positions")
        noted = Positions.parse(text)
        if noted.covers(_of_sources(until)):
            return 0  # another process has done it
        folded = await _fold(log, connection, email_key, noted, until, lambda events: None, limit, _ended_again)
        async with connection.transaction():
            await connection.execute(_PASS_OVER_NUMBERS)
            await connection.execute("UPDATE noted_positions SET lineage=gen_random_uuid()")
        return folded


async def lineage(pool: Pool) -> str:
    """Return an id that changes when the state is rebuilt, or brought up to the log after a restore."""
    async with available(), pool.connection() as connection:
        [(text,)] = await select(connection, "SELECT lineage::text FROM noted_positions")
    return str(text)


async def lacking(pool: Pool, ends: Positions, partitions: int) -> Positions:
    """Return the ends of source partitions with events that this database lacks, as after a restore.

    Empty for a database that was never restored, once its published rows are marked. Partitions with waiting rows are
    ignored: their end may be ahead of the marks. If the newest rows do not cover all ends, all rows are read.
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
    """Return the marks of the log by the newest outbox rows with their events, and by the noted positions.

    All of them were in the log before this call. A mark has no event for a partition without a row, and for one in
    which a command wrote to several entities. Raises LogUnavailable.
    """
    async with available(), pool.connection() as connection:
        rows = await select(connection, _NEWEST_PUBLISHED)
        [(text,)] = await select(
            connection, "SELECT positions FROM noted_positions"
        )  # including rows that were pruned meanwhile
    reached = Positions.parse(text)
    events: dict[TopicPartition, dict[str, str]] = {place: {} for place in reached}
    for topic, key, id_, positions in rows:
        own = TopicPartition(topic, partition_of(key, partitions))
        for place, next_ in Positions.parse(positions).items():  # the positions of the whole command that wrote the row
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
    """Open a connection while no process decides and the outbox is empty.

    It takes the lock exclusively that commands share. Raises OutboxNotEmpty.
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
            await connection.close()  # this releases the lock; the pool opens another


async def _fold(
    log: RecordReader,
    connection: Connection,
    email_key: bytes,
    positions: Positions,
    until: Positions,
    on_batch: Callable[[int], None],
    limit: int,
    also: Callable[[Event], Sequence[Statement]] = lambda event: (),
    left_out: LeftOut = NOTHING,
) -> int:
    """Fold the events of entities that are not left out, and execute the statements that `also` returns for each."""
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
    """Return the statements with which the end of a session changes the credentials."""
    if not isinstance(event, SessionEnded):
        return ()
    now = int(time.time() * 1000)
    return (
        ("DELETE FROM refresh_tokens WHERE session=%s", (event.session,)),
        ("INSERT INTO revoked_sessions VALUES (%s, %s) ON CONFLICT DO NOTHING", (event.session, now)),
        ("SELECT pg_notify(%s, %s)", (REVOKED, f"{event.session} {now}")),
    )


def _decided(records: Iterable[Record]) -> Iterator[Record]:
    """Yield the records without those of foreign producers, which no command decided. Raises CorruptLog.

    A record with an unknown key is an error, because a command may have decided it.
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
    """Store the newest event of each entity, and the positions just after it."""
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
