"""Exports of either log: every event once, wherever an export is stopped, and only of the log that it began with."""

from __future__ import annotations

import asyncio
import hashlib
import io
from collections.abc import Callable, Iterable, Iterator
from pathlib import Path
from typing import Any

import pyarrow.parquet
import pytest

from events.fitting import DoesNotFit
from events.ids import Millis
from events.log import EventLog, Positions, TopicPartition
from runtime.exporting.destination import BadDestination, Destination, destination
from runtime.exporting.export import Export, Exportable
from runtime.exporting.manifest import NAME, Manifest, Selection, load
from tests.contracts.embedded import START
from tests.contracts.exports import ALL, DAY_MS, exported, fill
from tests.contracts.exports import log as log
from tests.contracts.exports import make_log as make_log
from tests.contracts.exports import place as place
from tests.contracts.exports import system as system
from tests.contracts.logged import LogSystem, everything, followed


def rows(to: Destination, manifest: Manifest) -> Iterator[dict[str, Any]]:
    """Yield the rows of the files in the manifest, whose digests are right."""
    for file in manifest.files:
        content = to.read(file.path)
        assert content is not None
        assert (len(content), hashlib.sha256(content).hexdigest()) == (file.bytes, file.sha256)
        found = pyarrow.parquet.read_table(io.BytesIO(content)).to_pylist()
        assert len(found) == file.events
        assert {row["time"].strftime("%Y-%m-%d") for row in found} == {file.date}
        yield from ({**row, "topic": file.topic} for row in found)


def positions_of(found: Iterable[dict[str, Any]]) -> list[str]:
    return sorted(f"{row['topic']}-{row['partition']}@{row['offset']}" for row in found)


async def test_every_event_is_exported_once_as_it_is_stored(
    system: LogSystem, log: EventLog, place: Destination
) -> None:
    await fill(system)
    manifest = await exported(log, place, Selection("parquet", ALL))
    records = await everything(log)
    found = list(rows(place, manifest))
    assert positions_of(found) == sorted(record.position for record in records)
    by_id = {row["id"]: row for row in found}
    for record in records:
        row = by_id[record.about.id]
        assert (row["type"], row["key"], row["version"]) == (record.type, record.key, record.version)
    assert manifest.positions == await log.ends()
    assert {file.topic for file in manifest.files} == {"accounts", "graph", "tweets"}
    assert load(place) == manifest


class Failing:
    """A destination that refuses from the write number `left` on, as a full disk does, and leaves half a file."""

    def __init__(self, place: Destination, left: int) -> None:
        self._place = place
        self.left = left

    def write(self, path: str, content: bytes) -> None:
        self.left -= 1
        if self.left < 0:
            if path != NAME:
                self._place.write(f"{path}.unfinished", content[: len(content) // 2])
            raise OSError(28, "No space left on device", path)
        self._place.write(path, content)

    def __getattr__(self, name: str) -> Any:
        return getattr(self._place, name)


async def test_an_export_that_was_stopped_anywhere_goes_on_and_has_every_event_once(
    system: LogSystem, log: EventLog, place: Destination
) -> None:
    await fill(system)
    stopped, writes = 0, 0
    while True:
        try:
            manifest = await exported(log, Failing(place, writes), Selection("parquet", ALL))
            break
        except OSError:
            stopped, writes = stopped + 1, writes + 1
            if stopped == 3:  # more came meanwhile
                await fill(system)
    assert stopped > 5
    found = list(rows(place, manifest))
    assert positions_of(found) == sorted(record.position for record in await everything(log))
    assert sorted(place.paths()) == sorted([NAME, *(file.path for file in manifest.files)])


async def test_an_export_that_is_complete_adds_nothing_and_later_only_what_is_new(
    system: LogSystem, log: EventLog, place: Destination
) -> None:
    await fill(system)
    first = await exported(log, place, Selection("parquet", ALL))
    files = list(first.files)
    assert (await exported(log, place, Selection("parquet", ALL))).files == files
    await log.append([followed(system)])
    later = await exported(log, place, Selection("parquet", ALL))
    assert later.files[: len(files)] == files
    assert sum(file.events for file in later.files[len(files) :]) == 1


async def test_topics_times_and_positions_select(
    system: LogSystem, log: EventLog, place: Destination, tmp_path: Path
) -> None:
    await fill(system)
    records = await everything(log)
    middle = Millis(START + DAY_MS // 2)
    for name, selection, until, wanted in (
        ("topics", Selection("parquet", ("graph",)), None, [r for r in records if r.topic == "graph"]),
        ("since", Selection("parquet", ALL, since=middle), None, [r for r in records if r.about.time >= middle]),
        ("until", Selection("parquet", ALL, until=middle), None, [r for r in records if r.about.time < middle]),
        ("start", Selection("parquet", ALL, start="tweets-0:2,tweets-1:1"), None,
         [r for r in records if r.topic != "tweets" or r.offset >= {0: 2, 1: 1}[r.partition]]),
        ("to", Selection("parquet", ALL), Positions({**await log.ends(), TopicPartition("tweets", 0): 1}),
         [r for r in records if r.place != ("tweets", 0) or r.offset < 1]),
    ):  # fmt: skip
        to = destination(str(tmp_path / name))
        manifest = await exported(log, to, selection, until=until) if until else await exported(log, to, selection)
        assert positions_of(rows(to, manifest)) == sorted(record.position for record in wanted), name
        assert wanted, name


async def test_another_selection_or_other_files_are_refused(
    system: LogSystem, log: EventLog, place: Destination
) -> None:
    await fill(system)
    await exported(log, place, Selection("parquet", ALL))
    with pytest.raises(BadDestination, match="of another selection: parquet, topics accounts"):
        await exported(log, place, Selection("ndjson", ALL))
    place.write(NAME, b"{")
    with pytest.raises(BadDestination, match="damaged"):
        await exported(log, place, Selection("parquet", ALL))
    place.delete(NAME)
    with pytest.raises(BadDestination, match="there are files and no manifest"):
        await exported(log, place, Selection("parquet", ALL))


async def test_an_export_of_another_log_is_not_gone_on_with(
    make_log: Callable[..., LogSystem], system: LogSystem, log: EventLog, place: Destination
) -> None:
    await fill(system)
    manifest = await exported(log, place, Selection("parquet", ALL))
    other = make_log("other")
    with pytest.raises(DoesNotFit, match="ends at 0 in the log, and was read up to"):
        await exported(other.log, place, Selection("parquet", ALL))
    other.clock.now = Millis(START + 7)
    await fill(other)
    with pytest.raises(DoesNotFit, match="is event"):
        await exported(other.log, place, Selection("parquet", ALL))
    assert load(place) == manifest


async def test_a_following_export_writes_what_comes_file_by_file(
    system: LogSystem, log: Exportable, place: Destination
) -> None:
    await fill(system)
    export = Export(log, place, Selection("ndjson", ALL), chunk=1_000_000, every_s=0.0)
    await export.begin(Positions())
    following = asyncio.ensure_future(export.run(None, lambda events: None))
    for events in (24, 25, 26):
        async with asyncio.timeout(30):
            while (manifest := load(place)) is None or manifest.events < events:
                assert not following.done()
                await asyncio.sleep(0.01)
        assert manifest.events == events
        await system.log.append([followed(system)])
    following.cancel()
    await asyncio.wait([following])
    assert (await exported(log, place, Selection("ndjson", ALL))).events == 27
