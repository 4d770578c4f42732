"""`minitwitter verify`: derives everything from the log again and compares the results (law 2).

It runs beside a server or without one, on snapshots: one of all read models and derived topics, with the positions that
they reflect, and one of the decision state. The log is then applied from zero up to those positions, in a temporary
views.db in the data directory, by the same processors, in larger batches.

Read models that lag may first catch up with the end that the log had when verifying began. If one does not, it is
compared at its own positions and reported as behind: it is not the same as the log.
"""

from __future__ import annotations

import asyncio
import shutil
import time
from collections.abc import Callable, Generator, Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from typing import TypeVar

import apsw

from command_api.left_out import LeftOut
from command_api.sqlite.rebuild import decision_digest_steps, live_snapshot_steps, rebuild_decision_state
from events.codec import Codec
from events.digest import Steps, unordered_digest_steps
from events.log import DAMAGED, CorruptLog, Positions, Record, RecordReader, TopicPartition, lag, positions_after
from events.sqlite.connection import connect
from events.sqlite.keys import SqliteKeys
from events.sqlite.records import LogTable, base
from events.topics import DERIVED
from runtime.embedded.log_db import open_reader
from runtime.embedded.log_identity import check_fit
from runtime.embedded.models import ALL_TABLES, GROUPS, STREAMS, streams
from runtime.embedded.processors import Processors
from runtime.embedded.scratch_directory import remove_leftovers, second_copy
from runtime.processor_group import Group
from runtime.verdict import LONGEST_BEHIND_S, CannotVerify, Finding, Verdict, left_out_of_decisions
from stores.dead_letters import DeadLetter, all_letters
from stores.sqlite.dead_letters import SqliteDeadLetters
from stores.sqlite.sink import SqliteSink
from stores.sqlite.views import Views
from streams.trends import newest_rankings

BATCH = 5000
_LONGEST_UNSETTLED_S = 10.0
_LOOK_S = 0.05
_STANDS_STILL_S = 3.0
"""Seconds: if no event was applied for so long, nobody applies any."""

T = TypeVar("T")

Advance = Callable[[int], None]


async def verify(directory: Path, master_key: Path | None, begin: Callable[[int], None], advance: Advance) -> Verdict:
    """Verify a data directory; `begin` receives the number of steps, `advance` the number done.

    Raises CannotVerify, NoViews, ViewsDamaged, LogUnavailable, CorruptLog and the errors of reading the log.
    """
    started = time.perf_counter()
    remove_leftovers(directory)
    reader = open_reader(directory, master_key)
    with _snapshot(directory) as live:
        check_fit(live, reader.table)
        behind = await _caught_up(live, await reader.ends())
        await _settled(live)
        positions = {group: await SqliteSink(live, group).positions() for group in GROUPS}
        left_out = await left_out_of_decisions(reader, await _letters(live))
        decided = await _stepped(live_snapshot_steps(reader.table, left_out))
        steps = sum(sum(until.values()) for until in (*positions.values(), decided.positions))
        begin(steps)
        with _scratch(directory) as place:
            rebuilt = _fresh(place / "views.db")
            sealer = reader.table.codec.sealer
            partitions = max(tp.partition for tp in reader.table.places) + 1
            processors = Processors(rebuilt, sealer, partitions)
            dead_letters = await _skip(processors, reader, live)
            groups = {group: processors.live(group) for group in GROUPS}
            await _apply(reader, groups, positions, advance)
            failed = [letter for letter in await _letters(rebuilt) if letter.cause]
            findings = await _models(live, rebuilt)
            findings += await _topics(live, rebuilt, reader.table.codec, partitions)
            rebuilt.connection.close()
            state = _scratch_connection(place / "state.db")
            email_key = reader.table.keys.secret("email")
            await rebuild_decision_state(reader, state, email_key, decided.positions, advance, BATCH, left_out)
            findings += await _states(decided.digest, state, left_out)
            state.close()
    reader.table.connection.close()
    return Verdict.of(
        findings,
        sum(decided.positions.values()),
        time.perf_counter() - started,
        positions,
        behind,
        dead_letters=tuple(f"{letter.group} {letter.position}" for letter in dead_letters),
        failed=tuple(f"{letter.group} {letter.position}" for letter in failed),
        not_compared=left_out.names(),
        damaged=tuple(dict.fromkeys(letter.position for letter in failed if letter.cause == DAMAGED)),
    )


async def _skip(processors: Processors, reader: RecordReader, live: Views) -> list[DeadLetter]:
    """Make the groups skip the records that the live ones skip: discarded ones and dead letters. Returns
    the letters.
    """
    await processors.discards.read(reader)
    letters = await _letters(live)
    for letter in letters:
        processors.discards.of(letter.group).add(letter.position, letter.event_id)
    return letters


async def _letters(views: Views) -> list[DeadLetter]:
    return [one for group in GROUPS for one in await all_letters(SqliteDeadLetters(views.connection, group))]


@contextmanager
def _snapshot(directory: Path) -> Iterator[Views]:
    live = Views.beside(directory, ALL_TABLES)
    try:
        live.connection.execute("BEGIN")
        missing = [tables.model for tables in ALL_TABLES if not _there(live, tables.model)]
        outdated = missing or live.outdated()
        if outdated:
            raise CannotVerify(
                f"{', '.join(outdated)} were made by another version of minitwitter; the next `serve` rebuilds them"
            )
        yield live
    finally:
        live.connection.close()


async def _caught_up(live: Views, ends: Positions) -> dict[str, int]:
    """Wait for the groups to reach `ends` as long as they advance; return how many events each has left."""
    deadline = time.monotonic() + LONGEST_BEHIND_S
    left, moved_at = _left(live, ends), time.monotonic()
    while any(left.values()) and time.monotonic() < min(deadline, moved_at + _STANDS_STILL_S):
        live.connection.execute("COMMIT")
        await asyncio.sleep(_LOOK_S)
        live.connection.execute("BEGIN")
        before, left = left, _left(live, ends)
        if left != before:
            moved_at = time.monotonic()
    return left


def _left(live: Views, ends: Positions) -> dict[str, int]:
    marks = live.marks()
    return {group: lag(ends, {place: mark.next for place, mark in marks.get(group, {}).items()}) for group in GROUPS}


def _there(views: Views, model: str) -> bool:
    return views.connection.execute("SELECT 1 FROM models WHERE model=?", (model,)).get is not None


async def _settled(live: Views) -> None:
    """Take the snapshot when no stream has work due: until then topics are no function of the log."""
    deadline = time.monotonic() + _LONGEST_UNSETTLED_S
    while True:
        names = live.names()
        making = [make for derivations in STREAMS.values() for make in streams(derivations, live.connection, names)]
        if not any([await make(lambda new: None).has_due() for make in making]):
            return
        if time.monotonic() > deadline:
            raise CannotVerify(
                "trends have windows left to rank, and go on having them; verify again when less is being written,"
                " or run `minitwitter serve` for a moment if it does not run"
            )
        live.connection.execute("COMMIT")
        await asyncio.sleep(_LOOK_S)
        live.connection.execute("BEGIN")


@contextmanager
def _scratch(directory: Path) -> Iterator[Path]:
    """Make a directory for the second copy, removed afterwards. Raises CannotVerify if there is no room for it."""
    needed = (directory / "views.db").stat().st_size + (directory / "log.db").stat().st_size // 2 + (8 << 20)
    free = shutil.disk_usage(directory).free
    if free < needed:
        raise CannotVerify(
            f"verifying takes about {needed >> 20} MiB in {directory} for a while, and {free >> 20} MiB are free"
        )
    try:
        with second_copy(directory) as place:
            yield place
    except (apsw.FullError, OSError) as error:
        raise CannotVerify(f"the second copy cannot be written: {error}") from error


def _fast(connection: apsw.Connection) -> None:
    """Configure a connection for speed: nothing of it outlives the process."""
    connection.execute("PRAGMA journal_mode=MEMORY")
    connection.execute("PRAGMA synchronous=OFF")
    connection.execute("PRAGMA locking_mode=EXCLUSIVE")


def _fresh(path: Path) -> Views:
    views = Views(path, ALL_TABLES)
    _fast(views.connection)
    return views


def _scratch_connection(path: Path) -> apsw.Connection:
    connection = connect(path, durable=False)
    _fast(connection)
    return connection


async def _apply(
    reader: RecordReader, groups: dict[str, Group], positions: dict[str, Positions], advance: Advance
) -> None:
    """Apply the log to every group up to its positions, reading it once."""
    until = Positions()
    for wanted in positions.values():
        until = until.merged(wanted)
    at = Positions()
    reached = {group: Positions() for group in groups}
    while not at.covers(until):
        records = await reader.read(at, BATCH)
        if not records:
            raise CorruptLog(f"the log ends at {at}, and should reach {until}")
        at = positions_after(records, at)
        for name, group in groups.items():
            wanted = positions[name]
            part = [r for r in records if r.offset < wanted.get(TopicPartition(r.topic, r.partition), 0)]
            if part:
                reached[name] = positions_after(part, reached[name])
                await group.apply([r for r in part if r.topic in group.topics], reached[name])
                advance(len(part))
                await asyncio.sleep(0)  # so that Ctrl-C takes effect
    for group in groups.values():
        while await group.emit_due():
            pass


async def _stepped(steps: Generator[None, None, T]) -> T:
    """Return the result of a generator of steps; Ctrl-C takes effect between two steps."""
    try:
        while True:
            next(steps)
            await asyncio.sleep(0)
    except StopIteration as end:
        value: T = end.value
        return value


async def _models(live: Views, rebuilt: Views) -> list[Finding]:
    findings = []
    for tables in ALL_TABLES:
        started = time.perf_counter()
        was, now = [
            await _stepped(views.digest_steps(tables.model, views.generation(tables.model)))
            for views in (live, rebuilt)
        ]
        findings.append(Finding("read model", tables.model, was[0], now[0], was == now, time.perf_counter() - started))
    return findings


async def _topics(live: Views, rebuilt: Views, codec: Codec, partitions: int) -> list[Finding]:
    findings = []
    for topic in DERIVED:
        started = time.perf_counter()
        compare = _rankings if topic == "trends" else _records
        was, now = [await _stepped(compare(views.connection, topic, partitions, codec)) for views in (live, rebuilt)]
        findings.append(Finding("topic", topic, was[0], now[0], was == now, time.perf_counter() - started))
    return findings


def _records(connection: apsw.Connection, topic: str, partitions: int, codec: Codec) -> Steps:
    """Return all records of a topic, regardless of partition: ids of derived records depend on their source."""
    return unordered_digest_steps(
        connection.execute(
            "SELECT id, type, version, key, time, headers, value FROM records WHERE position BETWEEN ? AND ?",
            (base((topic, 0)), base((topic, partitions)) - 1),
        )
    )


def _rankings(connection: apsw.Connection, topic: str, partitions: int, codec: Codec) -> Steps:
    """Return the newest ranking of each window: how often it was ranked before depends on the batches."""
    table = LogTable(connection, codec, SqliteKeys(connection, codec.sealer))
    yield
    records = (record for partition in range(partitions) for record in _all(table, TopicPartition(topic, partition)))
    return (yield from unordered_digest_steps(newest_rankings(records).items()))


def _all(table: LogTable, place: TopicPartition) -> Iterator[Record]:
    after = 0
    while records := table.read(place, after, BATCH):
        yield from records
        after = records[-1].offset + 1


async def _states(live: Mapping[str, tuple[int, str]], state: apsw.Connection, left_out: LeftOut) -> list[Finding]:
    started = time.perf_counter()
    rebuilt = await _stepped(decision_digest_steps(state, left_out))
    seconds = time.perf_counter() - started
    return [
        Finding("decision state", table, was[0], rebuilt[table][0], was == rebuilt[table], seconds / len(live))
        for table, was in live.items()
    ]
