"""The decision state rebuilt from the log, and compared with the live one: laws 2 and 4 for what decisions ask."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Generator, Mapping
from pathlib import Path
from typing import NamedTuple, Protocol

import apsw

from events.digest import finished, unordered_digest_steps
from events.first_copies import Entity, first_copies
from events.log import CorruptLog, Positions, Record, TopicPartition, positions_after
from events.sqlite.records import LogTable

from ..decision_rows import BY_NAME
from ..decision_state import DecisionState
from ..left_out import NOTHING, LeftOut
from .rows import SqliteDecisionRows, create_state_tables

Digest = dict[str, tuple[int, str]]
"""Of each table, how many rows it has, and a digest over them whatever their order."""


class Source(Protocol):
    """The part of the EventLog port that a rebuild needs."""

    async def read(self, after: Mapping[TopicPartition, int], limit: int) -> list[Record]:
        """Up to `limit` records from `after` on."""
        ...


class Snapshot(NamedTuple):
    """The decision state at the positions that it reflects."""

    positions: Positions
    digest: Digest


def decision_digest(connection: apsw.Connection) -> Digest:
    """The digest of every table of the decision state. 2 us a row."""
    return finished(decision_digest_steps(connection))


def decision_digest_steps(connection: apsw.Connection, left_out: LeftOut = NOTHING) -> Generator[None, None, Digest]:
    """The same, a few ms at a time, without the entities that are left out."""
    digest = {}
    for table in BY_NAME:
        rows, total = yield from unordered_digest_steps(connection.execute(left_out.rows(table)))
        digest[table] = (rows, f"{total:032x}")
    return digest


def live_snapshot(table: LogTable) -> Snapshot:
    """Log and decision state of one log.db, beside its writer: both as of one commit.

    `table` is on a connection that only reads, and keeps what it sees for as long as this takes.
    """
    return finished(live_snapshot_steps(table))


def live_snapshot_steps(table: LogTable, left_out: LeftOut = NOTHING) -> Generator[None, None, Snapshot]:
    """The same, a few ms at a time, without the entities that are left out."""
    table.connection.execute("BEGIN")
    try:
        ends = table.ends()
        return Snapshot(ends, (yield from decision_digest_steps(table.connection, left_out)))
    finally:
        table.connection.execute("ROLLBACK")


def replace_decision_state(connection: apsw.Connection, folded: Path, left_out: LeftOut = NOTHING) -> None:
    """Put the decision state of another file in the place of this one's, but for the entities that are left out."""
    connection.execute("ATTACH ? AS folded", (str(folded),))
    try:
        with connection:
            for table in BY_NAME:
                connection.execute(f"DELETE FROM main.{table}{left_out.where(table)}")
                connection.execute(f"INSERT INTO main.{table} SELECT * FROM folded.{table}")
    finally:
        connection.execute("DETACH folded")


async def rebuild_decision_state(
    log: Source,
    connection: apsw.Connection,
    email_key: bytes,
    until: Positions,
    on_batch: Callable[[int], None] = lambda events: None,
    limit: int = 5000,
    left_out: LeftOut = NOTHING,
) -> int:
    """Fold the log from zero up to `until` into an empty database; how many events were folded.

    Entities that are left out are not folded: an event that relies on a lost one may not apply. Copies are dropped,
    as by every processor. `on_batch` is told how many records each batch had. Raises what reading the log does, and
    CorruptLog where the log ends before.
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
        await asyncio.sleep(0)  # so that a command hears Ctrl-C
    return folded
