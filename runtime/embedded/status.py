"""The status of a data directory: from its server, or, if none runs, from its files."""

from __future__ import annotations

import asyncio
import contextlib
import shutil
from collections.abc import Mapping
from pathlib import Path

import apsw

from events.ids import Clock, Millis, from_bytes, millis, wall_clock
from events.log import CorruptLog, Positions, TopicPartition
from events.sqlite.records import LogTable
from runtime.embedded.control import AskStatus, ControlClient, NoServer, Told
from runtime.embedded.log_identity import misfit
from runtime.lag import Behind, total
from runtime.quantities import counted
from runtime.readiness import Part
from runtime.settings import Settings
from runtime.status import Disk, GroupStatus, ModelStatus, Status, group_part, group_told, letters_told, overall
from stores.sqlite.damage import ViewsDamaged
from stores.sqlite.dead_letters import SqliteDeadLetters
from stores.sqlite.sink import SqliteSink
from stores.sqlite.views import NoViews, Views

from .log_db import is_owned, open_records
from .models import ALL_TABLES, GROUPS

ANSWERS_S = 5.0
"""Seconds: a server that has not answered by then hangs."""


async def status(settings: Settings, clock: Clock = wall_clock) -> Status:
    """Return the current status. Raises LogUnavailable if there is no log, and the errors of opening the files."""
    directory = settings.data
    why = f"no server runs; `minitwitter serve --data {directory}` starts one"
    try:
        async with asyncio.timeout(ANSWERS_S), ControlClient(directory) as client:
            async for reply in client.ask(AskStatus()):
                if isinstance(reply, Told):
                    return reply.status
    except NoServer:
        if is_owned(directory):
            why = "a process has the directory, and does not serve yet, or not any more"
    except TimeoutError:
        why = f"the server runs, and has not answered for {ANSWERS_S:.0f} s; stop it and start it again"
    found = await of_files(directory, clock)
    parts = [Part.of("server", down=why), *found.parts]
    return told_of(directory, parts, list(found.groups), "")


async def of_files(directory: Path, clock: Clock) -> Status:
    """Return the status of the log and the read models from the files of a directory."""
    table = open_records(directory)
    try:
        views = Views.beside(directory, ALL_TABLES)
    except (NoViews, ViewsDamaged) as error:
        return await _of_files(directory, clock, table, None, str(error))
    try:
        return await _of_files(directory, clock, table, views, "")
    except ViewsDamaged as error:
        return await _of_files(directory, clock, table, None, str(error))
    finally:
        views.connection.close()


async def _of_files(directory: Path, clock: Clock, table: LogTable, views: Views | None, missing: str) -> Status:
    """Return the status of a log and of views; `missing` says why there are no views. Raises ViewsDamaged."""
    ends = table.ends()
    groups = []
    cut = against = ""
    try:
        table.check_ends()
    except CorruptLog as error:
        cut = str(error)
    if views is not None and not cut and (found := misfit(views, table)):
        against = f"views.db does not fit the log: {found}; `minitwitter rebuild --from-nothing` makes it anew"
    for name in GROUPS:
        reached = Positions() if views is None else await SqliteSink(views, name).positions()
        letters = None if views is None else await letters_of(views.connection, name)
        behind = total(_behind(table, ends, reached, clock))
        detail = _detail(name, behind)
        part = Part.of(name, degraded=detail) if detail else group_part(name, behind=behind, letters=letters)
        groups.append(group_told(part, behind, letters, models(name, _generations(views), {})))
    set_aside = "; ".join(f"{group.name} has {told}" for group in groups if (told := letters_told(group.dead_letters)))
    parts = [
        Part.of("log", down=cut),
        Part.of("read models", down=against, degraded=missing),
        Part.of("dead letters", degraded=set_aside),
    ]
    return told_of(directory, parts, groups, "")


def read_models_part(detail: str, *, serves: bool, stopped: str, behind: str) -> Part:
    """Return the part of the read models. `detail` says why they do not advance, `stopped` why some groups do not.

    Once opened, they can be read until the projecting process has ended for good.
    """
    if detail and not serves:
        return Part.of("read models", down=detail)
    return Part.of("read models", degraded=detail or stopped or behind)


def _detail(name: str, behind: Behind) -> str:
    """Return why the read models are not current. Without a server nothing catches up, so one event is too many."""
    return f"{name} is {counted(behind.events, 'event')} behind the log, and no server runs" if behind.events else ""


def told_of(directory: Path, parts: list[Part], groups: list[GroupStatus], server: str) -> Status:
    """Return the status with these parts and groups."""
    state = overall([*parts, *(Part(each.name, each.state) for each in groups)])
    return Status("embedded", state, parts, groups, disk=disk(directory), server=server)


def models(name: str, generations: Mapping[str, int], building: Mapping[str, float]) -> list[ModelStatus]:
    """Return the read models of a group."""
    return [
        ModelStatus(
            model.name,
            model.declared.tables.version,
            str(generations.get(model.name, "")),
            building.get(model.name),
        )
        for model in GROUPS[name]
    ]


async def letters_of(connection: apsw.Connection, name: str) -> int | None:
    """Return the number of a group's dead letters; None if the file is older than dead letters. Raises ViewsDamaged."""
    try:
        return (await SqliteDeadLetters(connection, name).counts()).all
    except apsw.SQLError:
        return None


def disk(directory: Path) -> Disk:
    """Return the free space, and the sizes of the databases."""
    files = {path.name: path.stat().st_size for path in sorted(directory.glob("*.db*")) if path.is_file()}
    return Disk(str(directory), shutil.disk_usage(directory).free, files)


def _generations(views: Views | None) -> dict[str, int]:
    if views is None:
        return {}
    return {str(m): int(n) for m, n in views.connection.execute("SELECT model, generation FROM models")}


def _behind(table: LogTable, ends: Positions, reached: Positions, clock: Clock) -> dict[TopicPartition, Behind]:
    found = {}
    for place, end in ends.items():
        at = reached.get(place, 0)
        if at < end:
            found[place] = Behind(end - at, max(0, clock() - _appended(table, place, at, clock())) / 1000)
    return found


def _appended(table: LogTable, place: TopicPartition, offset: int, otherwise: Millis) -> Millis:
    """Return when a record was appended, from its id alone: no key and no payload is needed."""
    with contextlib.suppress(CorruptLog):
        id_ = table.rows(place, offset, 1)[0][1]
        if isinstance(id_, bytes) and len(id_) == 16:
            return millis(from_bytes(id_))
    return otherwise
