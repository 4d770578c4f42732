"""Checks that views.db was made from the log.db beside it.

If log.db comes from a backup, lost its WAL, or belongs to another community, the read models would show tweets that are
in no log, and miss events that are. So nothing is written before the two fit.
"""

from __future__ import annotations

import time
from contextlib import closing, suppress
from pathlib import Path

import apsw

from events.fitting import DoesNotFit, Mark, conflict
from events.log import TopicPartition
from events.sqlite.connection import IncompatibleData
from events.sqlite.identity import identity
from events.sqlite.records import LogTable
from stores.sqlite.damage import ViewsDamaged
from stores.sqlite.views import NoViews, Views

DAMAGED = "views.db.damaged"
"""The name under which a damaged views.db is kept; the next one replaces it."""
_FILES = ("", "-wal", "-shm", "-journal")


def misfit(views: Views, log: LogTable) -> str:
    """Return why these views were not made from this log; "" if they were. About 20 us a position."""
    known, is_now = views.log_identity(), identity(log.connection)
    if known and is_now and known != is_now:
        return f"it is made from log {known}, and this is log {is_now}"
    ends = log.ends()
    for marks in views.marks().values():
        ids = {place: log.id_before(place, mark.next) for place, mark in marks.items() if _there(place, mark, ends)}
        against = conflict(marks, ends, ids)
        if against:
            return against
    return ""


def _there(place: TopicPartition, mark: Mark, ends: dict[TopicPartition, int]) -> bool:
    return 0 < mark.next <= ends.get(place, 0) and bool(mark.last)


def check_fit(views: Views, log: LogTable) -> None:
    """Raise DoesNotFit if these views were made from another log, or from records that it has lost."""
    against = misfit(views, log)
    if against:
        directory = Path(views.path).parent
        raise DoesNotFit(
            f"{views.path} does not fit the log: {against}. If log.db was restored from a backup or exchanged,"
            f" `minitwitter rebuild --from-nothing --data {directory}` makes the read models of the log that is there"
            " now, and keeps the old file; else put the right log.db and log.db-wal back. Nothing was changed"
        )


def check_fit_beside(directory: Path, log: LogTable) -> None:
    """Do the same for the views.db of a data directory, if it can be read. Raises DoesNotFit."""
    try:
        views = Views.beside(directory, (), look_s=0)
    except (NoViews, ViewsDamaged, IncompatibleData):  # the process that owns it replaces or refuses it
        return
    try:
        check_fit(views, log)
    except ViewsDamaged:
        return
    finally:
        views.connection.close()


def set_aside(directory: Path, name: str = "") -> Path | None:
    """Rename views.db, so that it is rebuilt; by default the new name has the time of day.

    Only its owner may call this. Returns the new path; None if there was no file.
    """
    path = directory / "views.db"
    aside = directory / (name or time.strftime("views-%Y%m%dT%H%M%S.db"))
    there = path.exists()
    for end in reversed(_FILES):  # the file last: a WAL that stays would be used with the next file
        old, new = path.with_name(path.name + end), aside.with_name(aside.name + end)
        if old.exists():
            old.replace(new)
        else:
            new.unlink(missing_ok=True)
    return aside if there else None


def fold_in(aside: Path) -> None:
    """Checkpoint the WAL of a file that was set aside, so that it is one file to keep or to delete.

    If it is damaged, or read by another process, it stays as it is.
    """
    with suppress(apsw.Error), closing(apsw.Connection(str(aside), flags=apsw.SQLITE_OPEN_READWRITE)) as connection:
        connection.execute("PRAGMA journal_mode=DELETE").fetchall()
