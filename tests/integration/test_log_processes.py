"""log.db and several processes: one that is killed loses nothing, others read beside the owner."""

import asyncio
import os
import signal
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from subprocess import Popen
from typing import IO

import apsw
import pytest

from events.log import positions_after
from runtime.embedded.log_db import open_reader
from tests.integration.logs import ROOT, everything, followed, opened, read_by_all

APPENDING = """
import asyncio, sys
from pathlib import Path
from events.event import Envelope
from events.graph import AccountFollowed
from events.ids import EventId, HybridClock
from events.log import New
from runtime.embedded.log_db import LogDb

async def main():
    db = LogDb(Path(sys.argv[1]), ids=HybridClock())
    async def appending():
        while True:
            id_ = db.ids.issue()
            about = Envelope(EventId(id_), db.ids.now())
            await db.log.append([New(AccountFollowed(follower=id_, followee="x"), about)] * 2)
            print(id_, flush=True)
    await asyncio.gather(*(appending() for _ in range(20)))

asyncio.run(main())
"""

TAILING = """
import asyncio, sys
from pathlib import Path
from events.log import positions_after
from runtime.embedded.log_db import open_reader

async def main():
    log, positions = open_reader(Path(sys.argv[1])), {}
    print("ready", flush=True)
    while await log.wait(positions, 60):
        records = await log.read(positions, 100)
        positions = positions_after(records, positions)
        for record in records:
            print(record.about.id, flush=True)

asyncio.run(main())
"""


@contextmanager
def running(script: str, directory: Path) -> Iterator[tuple[Popen[str], IO[str]]]:
    environment = os.environ | {"PYTHONPATH": str(ROOT)}
    process = subprocess.Popen(
        [sys.executable, "-c", script, str(directory)], stdout=subprocess.PIPE, text=True, env=environment
    )
    assert process.stdout is not None
    try:
        yield process, process.stdout
    finally:
        process.kill()
        process.wait()
        process.stdout.close()


@pytest.mark.parametrize("acknowledgements", [1, 500, 2000])
async def test_a_process_that_is_killed_loses_nothing_acknowledged_and_halves_nothing(
    tmp_path: Path, acknowledgements: int
) -> None:
    acknowledged = []
    with running(APPENDING, tmp_path) as (process, printed):
        for line in printed:
            acknowledged.append(line.strip())
            if len(acknowledged) == acknowledgements:
                process.send_signal(signal.SIGKILL)
    acknowledged = [line for line in acknowledged if len(line) == 36]  # the last may be cut
    ids: list[str] = [record.about.id for record in await read_by_all(tmp_path)]
    assert set(acknowledged) <= set(ids)
    assert all(ids.count(id_) == 2 for id_ in acknowledged[-20:])
    assert len(ids) == 2 * len(set(ids))


async def test_another_process_tails_the_log_while_it_grows(tmp_path: Path) -> None:
    db = opened(tmp_path)
    loop = asyncio.get_running_loop()
    with running(TAILING, tmp_path) as (_, printed):
        assert await loop.run_in_executor(None, printed.readline) == "ready\n"
        for _ in range(20):
            record = followed(db)
            await db.log.append([record])
            assert await loop.run_in_executor(None, printed.readline) == record.about.id + "\n"
    await db.close()


async def test_reading_goes_on_while_it_is_checkpointed(tmp_path: Path) -> None:
    db = opened(tmp_path)
    await db.log.append([followed(db)])
    reader = open_reader(tmp_path)
    positions = positions_after(await everything(reader))
    for n in range(5):
        await db.log.append([followed(db)])
        db.connection.wal_checkpoint(mode=apsw.SQLITE_CHECKPOINT_TRUNCATE)
        records = await reader.read(positions, 10)
        positions = positions_after(records, positions)
        assert [record.offset for record in records] == [n + 1]
    await db.close()
