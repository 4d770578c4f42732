"""Whether views.db is made from the log.db beside it, and what to do where it is not.

A log.db from a backup, without its WAL, or of another community is not this one's: its read models would show tweets
that no log has, and pass over events that it has. So nothing is written before both are seen to fit.
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
"""The name that a damaged views.db is kept under; the next one takes its place."""
_FILES = ("", "-wal", "-shm", "-journal")


def misfit(views: Views, log: LogTable) -> str:
    """What speaks against these views being made from this log; "" where nothing does. Some 20 us a position."""
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
    """Raise DoesNotFit where these views are made from another log, or from more of it than there is."""
    against = misfit(views, log)
    if against:
        directory = Path(views.path).parent
        raise DoesNotFit(
            f"{views.path} does not fit the log: {against}. If log.db was restored from a backup or exchanged,"
            f" `minitwitter rebuild --from-nothing --data {directory}` makes the read models of the log that is there"
            " now, and keeps the old file; else put the right log.db and log.db-wal back. Nothing was changed"
        )


def check_fit_beside(directory: Path, log: LogTable) -> None:
    """The same for the views.db of a data directory, if there is one that can be read. Raises DoesNotFit."""
    try:
        views = Views.beside(directory, (), look_s=0)
    except (NoViews, ViewsDamaged, IncompatibleData):  # the process that writes it makes it anew, or refuses it
        return
    try:
        check_fit(views, log)
    except ViewsDamaged:
        return
    finally:
        views.connection.close()


def set_aside(directory: Path, name: str = "") -> Path | None:
    """Rename views.db, so that it is made from nothing; under a name with the time of day where none is given.

    Only its owner may. Answers where it is now, None where there was none.
    """
    path = directory / "views.db"
    aside = directory / (name or time.strftime("views-%Y%m%dT%H%M%S.db"))
    there = path.exists()
    for end in reversed(_FILES):  # the file itself last: a WAL that is left alone would be taken for the next one's
        old, new = path.with_name(path.name + end), aside.with_name(aside.name + end)
        if old.exists():
            old.replace(new)
        else:
            new.unlink(missing_ok=True)
    return aside if there else None


def fold_in(aside: Path) -> None:
    """Have a file that was put aside hold all that is in its WAL, so that it is one file to keep or to delete.

    Where it is damaged, or read by another process, it stays as it is.
    """
    with suppress(apsw.Error), closing(apsw.Connection(str(aside), flags=apsw.SQLITE_OPEN_READWRITE)) as connection:
        connection.execute("PRAGMA journal_mode=DELETE").fetchall()
