"""Check that a log is whole: every offset there, every record readable and in its partition, every cause known.

It reads the whole log and changes nothing. An export of the log can be checked with it: its files have the digests of
the manifest, and every row is the record at its position.
"""

from __future__ import annotations

import hashlib
from collections import Counter
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass, field
from typing import Literal, NamedTuple

from events.ids import EventId, is_id
from events.log import CorruptLog, Positions, Record, StoredRecord, TopicPartition
from events.partitioning import partition_of
from runtime.exporting.destination import BadDestination, Destination
from runtime.exporting.manifest import ExportedFile, load
from runtime.exporting.reading import ExportedRow, rows_of
from runtime.log_inspection import Looking

Kind = Literal["hole", "unreadable", "partition", "causation", "file", "row"]
_AT_ONCE = 5_000
MOST_TOLD = 100
"""How many findings of each kind are told one by one; the others are counted."""


class Finding(NamedTuple):
    """Something wrong: its kind, its position or file, and a sentence about it."""

    kind: Kind
    where: str
    detail: str


@dataclass
class Checked:
    """The result: how many events were read, how many of them are later copies, and what is wrong."""

    events: int = 0
    copies: int = 0
    files: int = 0
    findings: list[Finding] = field(default_factory=list)
    counts: Counter[str] = field(default_factory=Counter)

    def add(self, kind: Kind, where: str, detail: str) -> None:
        """Add a finding."""
        self.counts[kind] += 1
        if self.counts[kind] <= MOST_TOLD:
            self.findings.append(Finding(kind, where, detail))


async def check_log(log: Looking, ends: Positions, on_read: Callable[[int], None]) -> Checked:
    """Check the log up to `ends`, one partition after the other. Raises LogUnavailable."""
    checked = Checked()
    partitions = Counter(place.topic for place in log.places)
    causes: dict[str, str] = {}
    for place in sorted(log.places):
        await _check_partition(log, place, ends, partitions[place.topic], checked, causes, on_read)
    for cause, position in (await _unknown(log, causes)).items():
        checked.add("causation", position, f"its cause, event {cause}, is not in the log")
    return checked


async def _check_partition(
    log: Looking,
    place: TopicPartition,
    ends: Positions,
    partitions: int,
    checked: Checked,
    causes: dict[str, str],
    on_read: Callable[[int], None],
) -> None:
    at, end, newest = 0, ends.get(place, 0), dict[str, str]()
    while at < end:
        try:
            records = await log.read(Positions({**ends, place: at}), _AT_ONCE, [place.topic])
        except CorruptLog as error:
            checked.add("hole", f"{place}@{at}", str(error))
            return
        records = [record for record in records if record.place == place and record.offset < end]
        if not records:
            checked.add("hole", f"{place}@{at}", f"there is nothing up to {place}@{end}")
            return
        for record in records:
            if record.offset != at:
                checked.add("hole", f"{place}@{at}", f"the next record is {record.position}")
            at = record.offset + 1
            _check(record, partitions, newest, checked)
            if is_id(record.about.causation):
                causes.setdefault(record.about.causation, record.position)
        checked.events += len(records)
        on_read(len(records))


def _check(record: Record, partitions: int, newest: dict[str, str], checked: Checked) -> None:
    if record.fault:
        checked.add("unreadable", record.position, record.fault)
        return
    own = partition_of(record.key, partitions)
    if own != record.partition:
        checked.add("partition", record.position, f"its key belongs to partition {own}")
    if record.about.id <= newest.get(record.key, ""):
        checked.copies += 1
    else:
        newest[record.key] = record.about.id


async def _unknown(log: Looking, causes: Mapping[str, str]) -> dict[str, str]:
    """Return the causes that are not in the log, with the position of an event that names each."""
    return {cause: position for cause, position in causes.items() if await log.find(EventId(cause)) is None}


async def check_export(log: Looking, source: Destination, checked: Checked, on_file: Callable[[int], None]) -> None:
    """Check the files of an export, and compare each row with the record at its position.

    Rows of an unsealed export are compared by their ids. Raises BadDestination, LogUnavailable, CorruptLog.
    """
    manifest = load(source)
    if manifest is None:
        raise BadDestination("there is no manifest.json: this is no export")
    ends = await log.ends()
    for file in manifest.files:
        content = source.read(file.path)
        if content is None or hashlib.sha256(content).hexdigest() != file.sha256:
            checked.add("file", file.path, "it is missing" if content is None else "its digest is not the manifest's")
            on_file(file.events)
            continue
        rows = rows_of(content, manifest.selection.format, file.topic)
        await _compare(log, ends, file, rows, checked, by_value=not manifest.selection.unsealed)
        checked.files += 1
        on_file(file.events)


async def _compare(
    log: Looking,
    ends: Positions,
    file: ExportedFile,
    rows: Iterable[ExportedRow],
    checked: Checked,
    *,
    by_value: bool,
) -> None:
    by_place: dict[TopicPartition, dict[int, ExportedRow]] = {}
    for row in rows:
        by_place.setdefault(row.place, {})[row.offset] = row
    found = sum(map(len, by_place.values()))
    if found != file.events:
        checked.add("file", file.path, f"it has {found} events, the manifest says {file.events}")
    for place, wanted in sorted(by_place.items()):
        there = {record.offset: record for record in await _stored(log, ends, place, min(wanted), max(wanted))}
        for offset, row in wanted.items():
            record = there.get(offset)
            if record is None:
                checked.add("row", f"{place}@{offset}", f"{file.path} has it, the log does not")
            elif record.about.id != row.id or (by_value and record.value != row.value):
                checked.add("row", f"{place}@{offset}", f"{file.path} has another event or another value")


async def _stored(log: Looking, ends: Positions, place: TopicPartition, first: int, last: int) -> list[StoredRecord]:
    found: list[StoredRecord] = []
    at = first
    while at <= min(last, ends.get(place, 0) - 1):
        records = await log.read_stored(Positions({**ends, place: at}), _AT_ONCE, [place.topic])
        records = [record for record in records if record.place == place]
        if not records:
            break
        found += records
        at = records[-1].offset + 1
    return found
