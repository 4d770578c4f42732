"""Fills read models from zero in a file: `python -m runtime.embedded.fill_process`, started by a rebuild.

Standard input has one line, a Share; at its end the process stops. Standard output has Filled reports, one JSON object
a line; the last one says that the file is complete, or why it failed. Events are read and applied by the same
processors as in the serving process, in larger batches, without the indexes that only readers use.
"""

from __future__ import annotations

import os
import select
import signal
import sys
import time
from pathlib import Path

import msgspec

from events.log import LogUnavailable, Positions
from events.sqlite.connection import UNAVAILABLE
from runtime.dead_letter_policy import CannotApply
from runtime.embedded.log_db import open_reader
from runtime.embedded.models import ALL_TABLES
from runtime.embedded.processors import Processors
from runtime.gc_tuning import freeze_startup_objects
from runtime.processor_group import Runner
from stores.sink import StoreUnavailable
from stores.sqlite.buffered import BufferedConnection
from stores.sqlite.views import Views

BATCH = 5000
"""Events of one transaction: 20 MB of memory, with the pages that it changes."""
CONSUMERS = "share"
"""The consumers whose positions and newest ids the file has."""
_TELL_S = 0.1
_NICENESS = 5
"""A lower priority than the server's and the live read models'."""


class Share(msgspec.Struct, frozen=True):
    """Read models of one group, the file to fill, and the positions to stop at. `skipped` are positions and ids of dead
    letters.
    """

    directory: str
    master_key: str
    file: str
    group: str
    models: tuple[str, ...]
    until: str
    skipped: tuple[tuple[str, str], ...] = ()


class Filled(msgspec.Struct, frozen=True, omit_defaults=True):
    """The number of events done; whether the file is complete, or why it failed."""

    events: int = 0
    complete: bool = False
    failed: str = ""
    refused: str = ""
    """Why the disk or the log could not be used: the fill may be tried again."""


class _Abandoned(Exception):
    """The parent process has ended."""


async def fill(share: Share) -> None:
    """Fill the file. Raises CannotApply, and the errors of reading the log and writing the file."""
    models = [tables.to_fill() for tables in ALL_TABLES if tables.model in share.models]
    reader = open_reader(Path(share.directory), Path(share.master_key))
    views = Views.scratch(Path(share.file), models)
    assert isinstance(views.connection, BufferedConnection)
    partitions = max(place.partition for place in reader.table.places) + 1
    processors = Processors(views, reader.table.codec.sealer, partitions)
    await processors.discards.read(reader)
    skipped = processors.discards.of(share.group)
    for position, event_id in share.skipped:
        skipped.add(position, event_id)
    group = processors.rebuilt(share.group, dict.fromkeys(share.models, 1), CONSUMERS, skipped)
    runner = Runner(group, reader, BATCH)
    await runner.start()
    until, told_at = Positions.parse(share.until), 0.0
    while True:
        _look_for_parent()
        try:
            worked = await runner.turn(until) or await group.emit_due()
        except CannotApply:
            # A buffered row may fail while another record is applied. Without the buffer, the right record is found.
            if views.connection.at_once:
                raise
            views.connection.at_once = True
            continue
        if not worked:
            break
        if time.monotonic() - told_at > _TELL_S:
            told_at = time.monotonic()
            _tell(Filled(events=sum(runner.positions.values())))
    views.connection.close()
    reader.table.connection.close()


def _look_for_parent() -> None:
    readable, _, _ = select.select([sys.stdin], [], [], 0)
    if readable and not os.read(sys.stdin.fileno(), 1):
        raise _Abandoned


def _tell(filled: Filled) -> None:
    sys.stdout.buffer.write(msgspec.json.encode(filled) + b"\n")
    sys.stdout.buffer.flush()


def main() -> None:
    """Fill the share that standard input names."""
    signal.signal(signal.SIGINT, signal.SIG_IGN)  # Ctrl-C at the terminal: the parent stops this process
    os.nice(_NICENESS)
    line = b""
    while not line.endswith(b"\n"):
        part = os.read(sys.stdin.fileno(), 65_536)
        if not part:
            return
        line += part
    share = msgspec.json.decode(line, type=Share)
    freeze_startup_objects()
    work = fill(share)
    try:
        work.send(None)  # the adapters of the embedded profile never wait
    except StopIteration:
        _tell(Filled(events=sum(Positions.parse(share.until).values()), complete=True))
    except (StoreUnavailable, LogUnavailable, *UNAVAILABLE) as error:
        _tell(Filled(refused=str(error)))
    except (_Abandoned, BrokenPipeError):
        os._exit(0)
    except Exception as error:
        _tell(Filled(failed=str(error) or type(error).__name__))
        if not isinstance(error, CannotApply):
            raise


if __name__ == "__main__":
    main()
