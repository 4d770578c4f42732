"""The tables of a keyspace, created by numbered migrations that only go forward.

An applied migration is stored with its checksum; if its file is changed afterwards, it is refused. One host migrates at
a time, under a lease taken by compare-and-set, which expires if its holder dies; the others wait. A statement that was
interrupted is executed again: tables and columns are created only if they do not exist.
"""

from __future__ import annotations

import asyncio
import os
import re
import socket
import time
import uuid
from collections.abc import Callable, Iterable, Mapping, Sequence
from pathlib import Path
from typing import Any, NamedTuple

from cassandra import WriteTimeout
from cassandra.cluster import Session

from events.migrations import MigrationRefused, migration_files

from ..sink import StoreUnavailable
from .address import Address, checked
from .session import UNAVAILABLE, CassandraSession, connected

DIRECTORY = Path(__file__).parent / "migrations"
LEASE_S = 60
_POLL_S = 0.2
_COMMENT = re.compile(r"--[^\n]*")
_CREATE = re.compile(r"CREATE TABLE (?!IF NOT EXISTS)")
_ADD = re.compile(r"ALTER TABLE (\w+) ADD (?!IF NOT EXISTS)")


class Migration(NamedTuple):
    """One file of statements."""

    number: int
    name: str
    statements: tuple[str, ...]
    checksum: str


def migrations(directory: Path = DIRECTORY) -> list[Migration]:
    """Return the migrations in a directory, NNN_name.cql, in order. Raises MigrationRefused if a number is missing."""
    found = []
    for number, name, text, checksum in migration_files(directory, ".cql"):
        statements = tuple(part.strip() for part in _COMMENT.sub("", text).split(";") if part.strip())
        found.append(Migration(number, name[4:].removesuffix(".cql"), statements, checksum))
    return found


async def migrate(
    address: Address, *, replicas: int = 1, steps: Iterable[Migration] | None = None, patience_s: float = 120.0
) -> list[str]:
    """Apply the missing migrations to the keyspace of an address, and return their names.

    A new keyspace has `replicas` replicas in the address's datacenter. Raises StoreUnavailable, also if another host
    holds the lease for longer than `patience_s`, and MigrationRefused.
    """
    wanted = list(steps) if steps is not None else migrations()
    try:
        return await asyncio.to_thread(_migrate, address, replicas, wanted, patience_s)
    except UNAVAILABLE as error:
        raise StoreUnavailable(f"Cassandra: {error}") from error


async def pending(session: CassandraSession, keyspace: str, steps: Iterable[Migration] | None = None) -> list[str]:
    """Return the names of migrations that are not applied yet. Raises MigrationRefused, StoreUnavailable."""
    wanted = list(steps) if steps is not None else migrations()
    there = "SELECT table_name FROM system_schema.tables WHERE keyspace_name=? AND table_name='migrations'"
    applied: dict[int, str] = {}
    if await session.read(there, (keyspace,)):
        rows = await session.read(f"SELECT number, checksum FROM {checked(keyspace)}.migrations")
        applied = {int(number): str(checksum) for number, checksum in rows}
    return [_name(migration) for migration in _lacking(keyspace, wanted, applied)]


async def drop(address: Address) -> None:
    """Drop the keyspace of an address, if it exists. This takes seconds. Raises StoreUnavailable."""
    try:
        await asyncio.to_thread(_drop, address)
    except UNAVAILABLE as error:
        raise StoreUnavailable(f"Cassandra: {error}") from error


def _drop(address: Address) -> None:
    cluster, session = connected(address)
    try:
        _run(session, f"DROP KEYSPACE IF EXISTS {checked(address.keyspace)}", timeout_s=120)
    finally:
        cluster.shutdown()


def _migrate(address: Address, replicas: int, wanted: list[Migration], patience_s: float) -> list[str]:
    cluster, session = connected(address)
    try:
        keyspace = checked(address.keyspace)
        replication = f"{{'class': 'NetworkTopologyStrategy', '{address.datacenter}': {int(replicas)}}}"
        _run(session, f"CREATE KEYSPACE IF NOT EXISTS {keyspace} WITH replication = {replication}")
        _make_own_tables(session, keyspace)
        with_lease = _Lease(session, keyspace, patience_s)
        with_lease.take()
        try:
            return _apply(session, keyspace, wanted, with_lease.renew)
        finally:
            with_lease.give_back()
    finally:
        cluster.shutdown()


def _make_own_tables(session: Session, keyspace: str) -> None:
    """Create the tables of migrations and leases.

    Two hosts may do so at once, before any lease: fixed ids keep them equal.
    """
    tables = {
        "migrations": "(number int PRIMARY KEY, name text, checksum text)",
        "migrating": "(what text PRIMARY KEY, holder uuid)",
    }
    for table, columns in tables.items():
        id_ = uuid.uuid5(uuid.NAMESPACE_URL, f"minitwitter:{keyspace}.{table}")
        _run(session, f"CREATE TABLE IF NOT EXISTS {keyspace}.{table} {columns} WITH id = {id_}")


def _apply(session: Session, keyspace: str, wanted: list[Migration], renew: Callable[[], None]) -> list[str]:
    rows = _run(session, f"SELECT number, checksum FROM {keyspace}.migrations")
    applied = {int(number): str(checksum) for number, checksum in rows}
    done = []
    for migration in _lacking(keyspace, wanted, applied):
        for statement in migration.statements:
            renew()
            _run(session, _again(statement, keyspace))
        note = f"INSERT INTO {keyspace}.migrations (number, name, checksum) VALUES (%s, %s, %s)"
        _run(session, note, (migration.number, migration.name, migration.checksum))
        done.append(_name(migration))
    return done


def _lacking(keyspace: str, wanted: Sequence[Migration], applied: Mapping[int, str]) -> list[Migration]:
    """Return the migrations that are not applied. Raises MigrationRefused."""
    known = {migration.number: migration for migration in wanted}
    for number, checksum in sorted(applied.items()):
        if number not in known:
            raise MigrationRefused(
                f"Cassandra's keyspace {keyspace} has migration {number:03}: it is of a newer version of the software"
            )
        if known[number].checksum != checksum:
            raise MigrationRefused(
                f"{_name(known[number])} was applied to Cassandra's keyspace {keyspace} and has been changed since;"
                " write a new file instead"
            )
    return [migration for migration in wanted if migration.number not in applied]


def _name(migration: Migration) -> str:
    return f"{migration.number:03}_{migration.name}"


def _again(statement: str, keyspace: str) -> str:
    """Return the statement for a keyspace, so that a second execution changes nothing."""
    made = _CREATE.sub(f"CREATE TABLE IF NOT EXISTS {keyspace}.", statement)
    return _ADD.sub(rf"ALTER TABLE {keyspace}.\1 ADD IF NOT EXISTS ", made)


_UNDECIDED: tuple[Any, ...] = (False,)


class _Lease:
    """The right to migrate a keyspace, for LEASE_S after its last renewal."""

    def __init__(self, session: Session, keyspace: str, patience_s: float) -> None:
        self._session = session
        self._table = f"{keyspace}.migrating"
        self._holder = uuid.uuid5(uuid.NAMESPACE_OID, f"{socket.gethostname()} {os.getpid()} {time.monotonic_ns()}")
        self._patience_s = patience_s

    def take(self) -> None:
        """Wait for the lease. Raises StoreUnavailable after `patience_s`."""
        insert = f"INSERT INTO {self._table} (what, holder) VALUES ('tables', %s) IF NOT EXISTS USING TTL {LEASE_S}"
        deadline = time.monotonic() + self._patience_s
        while (answer := self._decided(insert, (self._holder,))) and not (answer[0] or self._holder in answer[1:]):
            if time.monotonic() > deadline:
                raise StoreUnavailable(f"another host has been migrating for more than {self._patience_s:.0f} s")
            time.sleep(_POLL_S)

    def renew(self) -> None:
        """Renew the lease. Raises StoreUnavailable if it expired."""
        update = f"UPDATE {self._table} USING TTL {LEASE_S} SET holder=%s WHERE what='tables' IF holder=%s"
        deadline = time.monotonic() + LEASE_S / 2
        while (answer := self._decided(update, (self._holder, self._holder))) == _UNDECIDED:
            if time.monotonic() > deadline:
                break
            time.sleep(_POLL_S)
        if not answer[0]:
            raise StoreUnavailable("the lease to migrate ran out; another host may have taken it")

    def give_back(self) -> None:
        """Release the lease."""
        self._decided(f"DELETE FROM {self._table} WHERE what='tables' IF holder=%s", (self._holder,))

    def _decided(self, statement: str, parameters: tuple[Any, ...]) -> tuple[Any, ...]:
        """Return the answer of a conditional statement; _UNDECIDED if it timed out among contending hosts.

        It may have been applied then, or be applied later. All these statements can be repeated, since they name their
        holder.
        """
        try:
            return _run(self._session, statement, parameters)[0]
        except WriteTimeout:
            return _UNDECIDED


def _run(
    session: Session, statement: str, parameters: tuple[Any, ...] = (), timeout_s: float = 60
) -> list[tuple[Any, ...]]:
    """Execute a statement without a retry: for conditional ones the outcome of a failed try is unknown."""
    rows: list[tuple[Any, ...]] = session.execute(statement, parameters, timeout=timeout_s).all()
    return rows
