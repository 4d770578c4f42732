"""Rebuild the decision state from the log and compare it with the live one: laws 2 and 4 for the decision state."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Generator
from pathlib import Path

import apsw

from events.digest import finished, unordered_digest_steps
from events.first_copies import Entity, first_copies
from events.log import CorruptLog, Positions, RecordReader, positions_after
from events.sqlite.records import LogTable

from ..decision_rows import BY_NAME
from ..decision_snapshot import Digest, Snapshot
from ..decision_state import DecisionState
from ..left_out import NOTHING, LeftOut
from .rows import SqliteDecisionRows, create_state_tables


def decision_digest(connection: apsw.Connection) -> Digest:
    """Return the digest of every table of the decision state. Takes 2 us a row."""
    return finished(decision_digest_steps(connection))


def decision_digest_steps(connection: apsw.Connection, left_out: LeftOut = NOTHING) -> Generator[None, None, Digest]:
    """Compute `decision_digest` in steps of a few ms, without the entities left out."""
    digest = {}
    for table in BY_NAME:
        rows, total = yield from unordered_digest_steps(connection.execute(left_out.rows(table)))
        digest[table] = (rows, f"{total:032x}")
    return digest


def live_snapshot(table: LogTable) -> Snapshot:
    """Return the digest of the live decision state and the positions of the log, both as of one commit.

    `table` is on a read-only connection, which holds a read transaction meanwhile; the writer goes on.
    """
    return finished(live_snapshot_steps(table))


def live_snapshot_steps(table: LogTable, left_out: LeftOut = NOTHING) -> Generator[None, None, Snapshot]:
    """Compute `live_snapshot` in steps of a few ms, without the entities left out."""
    table.connection.execute("BEGIN")
    try:
        ends = table.ends()
        return Snapshot(ends, (yield from decision_digest_steps(table.connection, left_out)))
    finally:
        table.connection.execute("ROLLBACK")


def replace_decision_state(connection: apsw.Connection, folded: Path, left_out: LeftOut = NOTHING) -> None:
    """Replace the decision state by that of another file, except for the entities left out."""
    connection.execute("ATTACH ? AS folded", (str(folded),))
    try:
        with connection:
            for table in BY_NAME:
                connection.execute(f"DELETE FROM main.{table}{left_out.where(table)}")
                connection.execute(f"INSERT INTO main.{table} SELECT * FROM folded.{table}")
    finally:
        connection.execute("DETACH folded")


async def rebuild_decision_state(
    log: RecordReader,
    connection: apsw.Connection,
    email_key: bytes,
    until: Positions,
    on_batch: Callable[[int], None] = lambda events: None,
    limit: int = 5000,
    left_out: LeftOut = NOTHING,
) -> int:
    """Fold the log from zero up to `until` into an empty database; return how many events were folded.

    Entities left out are not folded, because an event after a lost one may not apply. Copies are dropped. `on_batch` is
    called with the number of records of each batch. Raises the errors of reading the log, and CorruptLog if the log
    ends before `until`.
    """
    create_state_tables(connection)
    fold = DecisionState(SqliteDecisionRows(connection), email_key)
    newest: dict[Entity, str] = {}
    positions = Positions()
    folded = 0
    while not positions.covers(until):
        records = await log.read(positions, limit)
        if not records:
            raise CorruptLog(f"the log ends at {positions}, and should reach {until}")
        positions = positions_after(records, positions)
        wanted = [record for record in records if record.offset < until.get(record.place, 0)]
        with connection:
            for record in first_copies(wanted, newest):
                if record.event is not None and not left_out.has(record):
                    fold.handle(record.event, record.about)
                    folded += 1
        on_batch(len(wanted))
        await asyncio.sleep(0)  # lets the event loop handle Ctrl-C
    return folded
