"""Export the events of a log: chunk by chunk, so that it goes on where it was stopped, and can follow the log.

A chunk is a run of events of all partitions. Its events are divided by topic and day, each part becomes a file, and
then the manifest names the files and the positions. A killed export leaves files that the manifest does not name; the
next run removes them.
"""

from __future__ import annotations

import asyncio
import time
from collections.abc import Callable, Mapping, Sequence
from typing import NamedTuple, Protocol

from events.fitting import DoesNotFit, conflict
from events.log import LogReader, Positions, StoredReader, StoredRecord, TopicPartition, lag

from . import ndjson, parquet
from .destination import BadDestination, Destination
from .manifest import NAME, ExportedFile, Manifest, Selection, entry, load, save
from .rows import date_of, day_number, opened_rows

CHUNK = 50_000
"""Events that are read before they are written. Two chunks are in memory at once; each takes about 100 MiB."""
_AT_ONCE = 2_000
_WAIT_S = 1.0
_FORMATS = {"parquet": parquet, "ndjson": ndjson}


class Exportable(LogReader, StoredReader, Protocol):
    """A log whose records are read still sealed, or opened."""


class Chunk(NamedTuple):
    """Events to write, the positions after them, and the id of the event just before each position."""

    records: list[StoredRecord]
    positions: Positions
    last: dict[TopicPartition, str]


class Export:
    """One export, from its manifest on. `every_s` is the longest time an event waits for its file while following."""

    def __init__(
        self, log: Exportable, to: Destination, selection: Selection, *, chunk: int = CHUNK, every_s: float = 60.0
    ) -> None:
        self._log = log
        self._to = to
        self._selection = selection
        self._chunk = chunk
        self._every_s = every_s
        self.manifest = Manifest(selection)
        self._positions = Positions()
        self._waiting: list[StoredRecord] = []
        self._writing: asyncio.Future[None] | None = None
        self._last: dict[TopicPartition, str] = {}
        self._written_at = time.monotonic()
        self._read_since = 0

    async def begin(self, ends: Mapping[TopicPartition, int]) -> int:
        """Take up the manifest, if there is one; return how many events before `ends` are still to be read.

        Raises BadDestination if the place has another export, or files and no manifest; DoesNotFit.
        """
        found = load(self._to)
        paths = [path for path in self._to.paths() if not path.startswith(NAME)]
        if found is None and paths:
            raise BadDestination(f"there are files and no {NAME}, such as {paths[0]}; export to an empty place")
        if found is None:
            save(self.manifest, self._to)  # before any file: what is not in it can be removed
        else:
            if found.selection != self._selection:
                raise BadDestination(
                    f"there is an export of another selection: {_told(found.selection)}; export the same, or to an"
                    " empty place"
                )
            await self._check_fits(found)
            self.manifest = found
            known = {file.path for file in found.files}
            for path in paths:
                if path not in known:
                    self._to.delete(path)
        self._positions = Positions.parse(self._selection.start).merged(self.manifest.positions)
        wanted = {place: end for place, end in ends.items() if place.topic in self._selection.topics}
        return lag(Positions(wanted), self._positions)

    async def _check_fits(self, found: Manifest) -> None:
        """Raise DoesNotFit if the log is not the one that the export was made from."""
        marks = found.known_marks()
        ids: dict[TopicPartition, str] = {}
        ends = await self._log.ends()
        for place, mark in marks.items():
            if 0 < mark.next <= ends.get(place, 0):
                before = Positions({**ends, place: mark.next - 1})
                records = await self._log.read_stored(before, 1, [place.topic])
                ids |= {r.place: r.about.id for r in records if (r.place, r.offset) == (place, mark.next - 1)}
        if why := conflict(marks, ends, ids):
            raise DoesNotFit(f"this is an export of another log: {why}; export to an empty place")

    async def run(self, until: Mapping[TopicPartition, int] | None, on_batch: Callable[[int], None]) -> Manifest:
        """Export up to `until`; without it, go on for ever. `on_batch` gets the number of events read.

        A chunk is written by a thread while the next one is read. Raises OSError, StoreUnavailable, LogUnavailable,
        CorruptLog. What was exported before stays.
        """
        topics = self._selection.topics
        wanted = None if until is None else {place: end for place, end in until.items() if place.topic in topics}
        try:
            while wanted is None or not self._positions.covers(wanted):
                records = await self._read(topics)
                self._take(records, wanted)
                on_batch(len(records))
                if self._read_since >= self._chunk or self._is_due(followed=wanted is None):
                    await self._write()
                if not records:
                    await self._log.wait(self._passed_over(await self._log.ends()), _WAIT_S)
            await self._write()
        finally:
            await self._written()
        return self.manifest

    def _take(self, records: Sequence[StoredRecord], wanted: Mapping[TopicPartition, int] | None) -> None:
        """Take the records before `wanted`, and advance the positions."""
        newest = {(record.topic, record.partition): record for record in records}
        if wanted is not None and any(r.offset >= wanted.get(r.place, 0) for r in newest.values()):
            records = [record for record in records if record.offset < wanted.get(record.place, 0)]
            newest = {(record.topic, record.partition): record for record in records}
        for record in newest.values():
            self._positions[record.place] = max(self._positions.get(record.place, 0), record.offset + 1)
            self._last[record.place] = record.about.id
        since, until = self._selection.since, self._selection.until
        if since is not None:
            records = [record for record in records if record.about.time >= since]
        if until is not None:
            records = [record for record in records if record.about.time < until]
        self._waiting += records
        self._read_since += len(records)

    async def _read(self, topics: tuple[str, ...]) -> list[StoredRecord]:
        if self._selection.unsealed:
            return opened_rows(await self._log.read(self._positions, _AT_ONCE, topics))
        return await self._log.read_stored(self._positions, _AT_ONCE, topics)

    def _is_due(self, *, followed: bool) -> bool:
        return followed and bool(self._waiting) and time.monotonic() - self._written_at >= self._every_s

    def _passed_over(self, ends: Positions) -> Positions:
        """The positions to wait from: topics that are not exported do not wake it."""
        topics = self._selection.topics
        return Positions(
            {**{place: end for place, end in ends.items() if place.topic not in topics}, **self._positions}
        )

    async def _write(self) -> None:
        """Begin to write the events that were read, after those before them are written."""
        await self._written()
        self._written_at, self._read_since = time.monotonic(), 0
        if self._positions != self.manifest.positions:
            chunk = Chunk(self._waiting, Positions(self._positions), dict(self._last))
            self._writing = asyncio.get_running_loop().run_in_executor(None, self._write_chunk, chunk)
            self._waiting = []

    async def _written(self) -> None:
        """Wait until the chunk that is being written has its files, and is in the manifest."""
        writing, self._writing = self._writing, None
        if writing is not None:
            await writing

    def _write_chunk(self, chunk: Chunk) -> None:
        parts: dict[tuple[str, int], list[StoredRecord]] = {}
        for record in chunk.records:
            parts.setdefault((record.topic, day_number(record)), []).append(record)
        files = [self._file(topic, date_of(day), records) for (topic, day), records in sorted(parts.items())]
        self.manifest.files += files
        self.manifest.chunks += 1
        self.manifest.reached(chunk.positions, chunk.last)
        save(self.manifest, self._to)

    def _file(self, topic: str, date: str, records: list[StoredRecord]) -> ExportedFile:
        form = _FORMATS[self._selection.format]
        path = f"topic={topic}/date={date}/{self.manifest.chunks:08}.{form.SUFFIX}"
        first = {record.place: record.offset for record in reversed(records)}
        last = {record.place: record.offset + 1 for record in records}
        about = {
            "topic": topic,
            "date": date,
            "sealed": str(not self._selection.unsealed).lower(),
            "from": ",".join(f"{place}:{offset}" for place, offset in sorted(first.items())),
            "to": str(Positions(last)),
        }
        content = form.write(topic, records, about, unsealed=self._selection.unsealed)
        self._to.write(path, content)
        return entry(path, topic, date, len(records), content)


def _told(selection: Selection) -> str:
    """Return a selection in words."""
    parts = [selection.format, f"topics {', '.join(selection.topics)}"]
    parts += [f"from {selection.start}"] if selection.start else []
    parts += ["a range of times"] if selection.since is not None or selection.until is not None else []
    parts += ["unsealed"] if selection.unsealed else []
    return ", ".join(parts)
