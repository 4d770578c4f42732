"""Figures of exporting the log of the embedded profile, beside reading its rows and writing them as one column."""

from __future__ import annotations

import time
from collections.abc import Iterator
from pathlib import Path

import pyarrow as pa
import pyarrow.parquet
import uvloop

from events.topics import LOGGED
from runtime.embedded.log_inspection import looking
from runtime.exporting.destination import destination
from runtime.exporting.export import Export
from runtime.exporting.manifest import Format, Selection
from runtime.settings import Settings

from .community import Community
from .figures import Figure

EVENTS = 250_000


def measure(place: Path, scale: float) -> Iterator[Figure]:
    """Export 250,000 events, mixed as those of the rebuild."""
    data, events = place / "data", int(EVENTS * scale)
    uvloop.run(
        Community(data).fill(
            accounts=2500,
            tweets=int(events * 0.2),
            likes=int(events * 0.6),
            follows=int(events * 0.15),
            retweets=int(events * 0.05),
        )
    )
    least = _least(data, place / "least.parquet")
    for form, target in (("parquet", 100_000), ("ndjson", 50_000)):
        measured = uvloop.run(_export(data, place / form, "parquet" if form == "parquet" else "ndjson"))
        yield Figure(
            f"export to {form}", measured, "events/s", target, limit=least, limit_name="rows read, one column written"
        )


def _least(data: Path, file: Path) -> float:
    """Read all rows in one query, and write the values to a file: no export can do less."""
    log = looking(Settings(data=data))
    started = time.perf_counter()
    rows = log.table.connection.execute("SELECT id, type, key, time, headers, value FROM records").fetchall()
    values = pa.table({"value": pa.array([row[5] for row in rows], pa.binary())})
    pyarrow.parquet.write_table(values, file, compression="zstd")
    elapsed = time.perf_counter() - started
    uvloop.run(log.close())
    return len(rows) / elapsed


async def _export(data: Path, out: Path, form: Format) -> float:
    log = looking(Settings(data=data))
    ends = await log.ends()
    started = time.perf_counter()
    export = Export(log, destination(str(out)), Selection(form, tuple(sorted(LOGGED))))
    await export.begin(ends)
    manifest = await export.run(ends, lambda events: None)
    elapsed = time.perf_counter() - started
    await log.close()
    return manifest.events / elapsed
