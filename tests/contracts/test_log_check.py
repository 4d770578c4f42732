"""`minitwitter events check` of either log: it finds each kind of damage, and nothing in a log that is whole."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import pytest

from events.engagement import TweetLiked
from events.graph import AccountFollowed
from events.ids import Millis, id_at
from events.log import EventLog, New, TopicPartition
from events.partitioning import partition_of
from events.sqlite.records import base
from events.sqlite.stored_rows import checksum
from runtime.exporting.destination import BadDestination, Destination, destination
from runtime.exporting.manifest import Selection, load
from runtime.log_check import Checked, check_export, check_log
from runtime.log_inspection import Looking
from tests.contracts.embedded import START, Embedded
from tests.contracts.exports import ALL, exported, fill
from tests.contracts.exports import log as log
from tests.contracts.exports import make_log as make_log
from tests.contracts.exports import place as place
from tests.contracts.exports import system as system
from tests.contracts.logged import ACCOUNTS, TWEET, LogSystem, everything, new


async def checked(log: Looking) -> Checked:
    return await check_log(log, await log.ends(), lambda events: None)


async def compared(log: Looking, source: Destination) -> Checked:
    found = Checked()
    await check_export(log, source, found, lambda events: None)
    return found


def told(found: Checked) -> list[tuple[str, str]]:
    return [(finding.kind, finding.where) for finding in found.findings]


@pytest.fixture
def looking(system: LogSystem, log: EventLog) -> Looking:
    """The log as `minitwitter events` opens it."""
    return system.elsewhere()


async def test_a_whole_log_has_no_findings_and_later_copies_are_counted(
    system: LogSystem, log: EventLog, looking: Looking
) -> None:
    await fill(system)
    [record, *_] = [record for record in await everything(log) if record.topic == "graph"]
    assert record.event is not None
    await log.append([New(record.event, record.about)])
    found = await checked(looking)
    assert (found.events, found.copies, found.findings) == (25, 1, [])


async def test_a_cause_that_is_not_in_the_log_is_found(system: LogSystem, log: EventLog, looking: Looking) -> None:
    await fill(system)
    [cause, *_] = await everything(log)
    lost = id_at(Millis(START), "lost")
    like = TweetLiked(tweet=TWEET, author=ACCOUNTS[0], actor=ACCOUNTS[1])
    await log.append([new(system, like, causation=cause.about.id), new(system, like, causation="import")])
    assert (await checked(looking)).findings == []
    await log.append([new(system, like, causation=lost)])
    [finding] = (await checked(looking)).findings
    assert (finding.kind, finding.detail) == ("causation", f"its cause, event {lost}, is not in the log")


async def test_an_export_is_compared_with_the_log_row_by_row(
    system: LogSystem, log: EventLog, looking: Looking, place: Destination, tmp_path: Path
) -> None:
    await fill(system)
    for form in ("parquet", "ndjson"):
        out = destination_in(tmp_path / form)
        manifest = await exported(log, out, Selection("parquet" if form == "parquet" else "ndjson", ALL))
        found = await compared(looking, out)
        assert (found.files, found.findings) == (len(manifest.files), [])
    first, second, *_ = manifest.files
    content = out.read(first.path)
    assert content is not None
    out.write(first.path, content[:-1] + bytes([content[-1] ^ 1]))
    out.delete(second.path)
    found = await compared(looking, out)
    assert told(found) == [("file", first.path), ("file", second.path)]
    assert [finding.detail for finding in found.findings] == ["its digest is not the manifest's", "it is missing"]
    with pytest.raises(BadDestination, match="there is no manifest"):
        await compared(looking, destination_in(tmp_path / "nothing"))


async def test_an_export_of_another_log_has_other_rows(
    make_log: Callable[..., LogSystem], system: LogSystem, log: EventLog, place: Destination
) -> None:
    await fill(system)
    await exported(log, place, Selection("parquet", ALL))
    other = make_log("other")
    other.clock.now = Millis(START + 7)
    await fill(other)
    found = await compared(other.elsewhere(), place)
    assert found.counts == {"row": 24}
    assert load(place) is not None


def destination_in(path: Path) -> Destination:
    return destination(str(path))


class TestDamaged:
    """Damage that only a file can have; Kafka's readers name theirs in tests/events/test_kafka_faults.py."""

    @pytest.fixture
    def embedded(self, tmp_path: Path) -> Embedded:
        return Embedded(tmp_path / "damaged", partitions=2)

    async def test_a_hole_is_found_and_the_other_partitions_are_checked(self, embedded: Embedded) -> None:
        await fill(embedded)
        embedded.db.connection.execute("DELETE FROM records WHERE position=?", (base(TopicPartition("graph", 1)) + 1,))
        looking = embedded.elsewhere()
        found = await checked(looking)
        assert told(found) == [("hole", "graph-1@0")]
        assert "graph-1@1 is missing" in found.findings[0].detail
        assert found.events == 20
        await embedded.close()

    async def test_a_damaged_row_and_a_key_in_the_wrong_partition_are_found(self, embedded: Embedded) -> None:
        await fill(embedded)
        records = await everything(embedded.log)
        at = {place: base(place) for place in (TopicPartition("graph", 0), TopicPartition("graph", 1))}
        embedded.db.connection.execute(
            "UPDATE records SET value=x'00' WHERE position=?", (at[TopicPartition("graph", 0)],)
        )
        elsewhere = next(r for r in records if r.topic == "graph" and r.partition == 0)
        assert isinstance(elsewhere.event, AccountFollowed)
        assert partition_of(elsewhere.key, 2) == 0
        rows = embedded.db.connection.execute(
            "SELECT * FROM records WHERE position=?", (base(elsewhere.place) + elsewhere.offset + 1,)
        ).fetchall()
        moved = (at[TopicPartition("graph", 1)], *rows[0][1:8])
        embedded.db.connection.execute(
            "REPLACE INTO records VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?)", (*moved, checksum(moved))
        )
        found = await checked(embedded.elsewhere())
        assert told(found) == [("unreadable", "graph-0@0"), ("partition", "graph-1@0")]
        assert [finding.detail for finding in found.findings] == [
            "its checksum differs: the row is damaged",
            "its key belongs to partition 0",
        ]
        await embedded.close()
