"""A data directory opened by its owner: the command side, and the readers of the views.

The views are advanced by a process beside the server (projector_handle.py), or by `InProcess`, which tests, simulations
and commands without a server use.
"""

from __future__ import annotations

import asyncio
import os
import time
from collections.abc import Callable
from functools import cached_property
from pathlib import Path
from typing import TYPE_CHECKING

import apsw

from command_api.decision_state import DecisionState
from command_api.passwords import Passwords
from command_api.signing_keys import SigningKeys
from command_api.sqlite.answers import SqliteAnswers
from command_api.sqlite.credentials import (
    SqliteCredentialAnswers,
    SqliteCredentialChanges,
    create_credential_tables,
    revoked_since,
)
from command_api.sqlite.rows import SqliteDecisionRows, create_state_tables, roles_in
from command_api.sqlite.store import SqliteCommandStore, create_idempotency_table
from events.event import Envelope
from events.ids import Clock, EventId, HybridClock, Millis, Randomness, wall_clock
from events.log import New, Positions
from events.operations import ReadModelSwitched
from events.sqlite.connection import connect
from events.sqlite.group_commit import OffLoop
from events.sqlite.log import SqliteLogReader
from query_api.usage import UsageReports
from rest.revocations import RecentRevocations
from rest.roles import Roles
from runtime.command_side import REVOCATION_SLACK_MS
from runtime.embedded.log_identity import check_fit_beside
from runtime.embedded.projector_loop import Projecting
from runtime.embedded.read_positions import ReadPositions
from runtime.settings import Settings
from stores.readers import Readers
from stores.sqlite.views import Views

from .log_db import LogDb, log_table
from .models import ALL_TABLES, GROUPS, readers
from .processors import Processors

if TYPE_CHECKING:
    from runtime.media import MediaSide

Timer = Callable[[], float]


def _answers(connection: apsw.Connection, email_key: bytes) -> SqliteAnswers:
    return SqliteAnswers(connection, email_key, SqliteCredentialAnswers(connection, email_key).answers)


class System:
    """One data directory, opened by its owner, who holds the lock. The clock, randomness and timer are parameters."""

    def __init__(
        self,
        settings: Settings,
        *,
        clock: Clock = wall_clock,
        randomness: Randomness = os.urandom,
        off_loop: OffLoop | None = None,
        timer: Timer = time.perf_counter,
    ) -> None:
        self.settings = settings
        self.directory: Path = settings.data
        self.clock = clock
        self.randomness = randomness
        self.timer = timer
        self.ids = HybridClock(clock, randomness)
        self.applied = ReadPositions()
        self.log_db = LogDb(
            self.directory,
            ids=self.ids,
            partitions=settings.partitions,
            master_key=settings.master_key_file,
            off_loop=off_loop,
            timer=timer,
            randomness=randomness,
            prepare=(create_state_tables, create_credential_tables, create_idempotency_table),
        )
        check_fit_beside(self.directory, self.log_db.table)
        self.log = self.log_db.log
        secret = settings.token_secret
        self.token_key = self.log_db.keys.secret("tokens") if secret is None else secret.get_secret_value().encode()
        self.token_lifetime_ms = settings.access_token_minutes * 60_000
        keep_ms = self.token_lifetime_ms + REVOCATION_SLACK_MS
        self.revocations = RecentRevocations(keep_ms)
        for session, at in revoked_since(self.log_db.connection, Millis(clock() - keep_ms)):
            self.revocations.add(session, at)
        self.roles = Roles()
        self.roles.replace(roles_in(self.log_db.connection))
        self.commands = self._command_store(keep_ms)
        self.usage = UsageReports(self.log, clock, self.ids.issue)
        self.views: Views | None = None
        self._views_file = 0
        self.readers: Readers
        self.derived_log: SqliteLogReader
        self.generations: dict[str, tuple[int, int]] = {}
        self._recording = asyncio.Lock()

    def _command_store(self, keep_ms: int) -> SqliteCommandStore:
        db = self.log_db
        email_key = db.keys.secret("email")
        changes = SqliteCredentialChanges(db.connection, self.clock, keep_ms, self.revocations.add)
        db.commits.on_commit.append(changes.committed)
        db.connection.set_rollback_hook(changes.rolled_back, id=changes)
        rows = SqliteDecisionRows(db.connection)

        def follow_roles() -> None:
            if rows.roles_changed:
                rows.roles_changed = False
                self.roles.replace(roles_in(db.read_connection))

        db.commits.on_commit.append(follow_roles)
        return SqliteCommandStore(
            db.commits,
            db.writer,
            _answers(db.connection, email_key),
            DecisionState(rows, email_key),
            changes.changes,
            _answers(db.read_connection, email_key),
        )

    @cached_property
    def signing_keys(self) -> SigningKeys:
        """The keys of access tokens. Created at first use, which takes a moment."""
        # They have a clock of their own: their creation must not change the ids in the log (law 10).
        ids = HybridClock(self.clock, self.randomness)
        return SigningKeys(self.directory / "signing-keys", ids, self.revocations.keep_ms)

    @cached_property
    def passwords(self) -> Passwords:
        """The threads that hash passwords."""
        return Passwords(cost=self.settings.bcrypt_cost, threads=self.settings.password_threads)

    @cached_property
    def media(self) -> MediaSide:
        """The object store, and the checks of files; only a server uses it."""
        from runtime.media import MediaSide

        return MediaSide(self.settings, secret=self.token_key, clock=self.clock, randomness=self.randomness)

    def open_views(self, generations: dict[str, tuple[int, int]]) -> None:
        """Read the views from now on, in these generations and versions."""
        made = (self.directory / "views.db").stat().st_ino
        if self.views is None or made != self._views_file:
            made_before = self.views is not None
            if self.views is not None:  # it was damaged and replaced
                self.views.connection.close()
            self.views = Views(self.directory / "views.db", ALL_TABLES, read_only=True)
            self._views_file = made
            derived = log_table(self.views.connection, self.log_db.sealer)
            if made_before:
                self.derived_log.table = derived
            else:
                self.derived_log = SqliteLogReader(derived)
        self.generations = generations
        names = self.views.names({model: generation for model, (generation, _) in generations.items()})
        self.readers = readers(self.views.connection, names)

    async def record_switches(self) -> None:
        """Append the switches of read models that are not in the log yet, so that a crash in between loses none."""
        async with self._recording:  # groups may switch at once; each must see what the other recorded
            missing = await self._unrecorded_switches()
            if missing:
                await self.log.append(
                    [New(event, Envelope(id=EventId(self.ids.issue()), time=self.clock())) for event in missing]
                )

    async def _unrecorded_switches(self) -> list[ReadModelSwitched]:
        recorded: dict[str, int] = {}
        positions = Positions()
        while records := await self.log.read(positions, 500, ("operations",)):
            for record in records:
                positions[record.place] = record.offset + 1
                if isinstance(record.event, ReadModelSwitched):
                    recorded[record.event.model] = record.event.generation
        return [
            ReadModelSwitched(model=model, generation=generation, version=version)
            for model, (generation, version) in sorted(self.generations.items())
            if recorded.get(model, 1) != generation
        ]

    async def close(self) -> None:
        """Finish running work and close the files."""
        if "passwords" in self.__dict__:
            self.passwords.close()
        if "media" in self.__dict__:
            self.media.close()
        await self.log_db.close()
        if self.views is not None:
            self.views.connection.close()


class InProcess:
    """A system, and the loop that advances its views, in one process and without threads: `project`
    advances the views.
    """

    def __init__(self, system: System) -> None:
        self.system = system
        self.views = Views(system.directory / "views.db", ALL_TABLES)
        self.views.note_log(system.log_db.identity)
        self.projecting = Projecting(
            self.views,
            Processors(self.views, system.log_db.sealer, system.settings.partitions),
            SqliteLogReader(log_table(self._log_connection(), system.log_db.sealer)),
            serving_batch=system.settings.serving_batch,
            turn_s=system.settings.analytics_turn_ms / 1000,
            timer=system.timer,
        )
        self.projecting.on_advance = lambda group, positions, events: system.applied.advance(group, positions)

    def _log_connection(self) -> apsw.Connection:
        self._log = connect(self.system.directory / "log.db", durable=True, read_only=True)
        return self._log

    @classmethod
    async def open(cls, system: System) -> InProcess:
        """Open the views of a system, and rebuild the read models whose version is older."""
        self = cls(system)
        await self.projecting.start()
        for group in GROUPS:
            system.applied.advance(group, self.projecting.positions(group))
        self._follow()
        return self

    def _follow(self) -> None:
        self.system.open_views(
            {model: (number, self.views.models[model].version) for model, number in self.views.generations().items()}
        )

    async def project(self) -> None:
        """Advance the views until they are current."""
        while await self.turn():
            pass

    async def turn(self) -> bool:
        """Take one turn; return whether there was any work."""
        worked = await self.projecting.turn()
        if self.views.generations() != {model: number for model, (number, _) in self.system.generations.items()}:
            self._follow()
            await self.system.record_switches()
        return worked

    def close(self) -> None:
        """Close the files."""
        self._log.close()
        self.views.connection.close()
