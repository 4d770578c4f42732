"""Comparing decision states tolerates the effects of a damaged, discarded record, and no other difference."""

from collections.abc import Iterable, Mapping

import apsw
import msgspec
import pytest
from apsw import Connection

from command_api.left_out import NOTHING, LeftOut
from command_api.sqlite.rebuild import decision_digest_steps, rebuild_decision_state
from events.digest import finished
from events.log import Positions, Record, RecordReader, TopicPartition
from events.sqlite.log import SqliteLog
from tests.contracts.commands import System
from tests.contracts.embedded import EMAIL_KEY
from tests.contracts.test_decision_state import live


class Damaged:
    """A log with some unreadable records."""

    def __init__(self, log: SqliteLog, *lost: Record) -> None:
        self.log, self.lost = log, {(record.place, record.offset) for record in lost}

    async def read(
        self, after: Mapping[TopicPartition, int], limit: int, topics: Iterable[str] | None = None
    ) -> list[Record]:
        return [
            msgspec.structs.replace(record, event=None, fault="its checksum differs")
            if (record.place, record.offset) in self.lost
            else record
            for record in await self.log.read(after, limit, topics)
        ]

    async def ends(self) -> Positions:
        return await self.log.ends()


async def state(log: RecordReader, until: Positions, left_out: LeftOut = NOTHING) -> Connection:
    connection = apsw.Connection(":memory:")
    await rebuild_decision_state(log, connection, EMAIL_KEY, until, left_out=left_out)
    return connection


def digest(connection: Connection, left_out: LeftOut) -> dict[str, tuple[int, str]]:
    return finished(decision_digest_steps(connection, left_out))


def without(*records: Record) -> LeftOut:
    left_out = LeftOut()
    for record in records:
        left_out.add(record)
    return left_out


async def history(system: System) -> tuple[list[Record], Positions]:
    await live(system, 3)
    records = await system.log.read({}, 10_000)
    return records, (await system.log.ends())


async def test_a_lost_record_of_any_type_leaves_all_other_rows_equal(system: System) -> None:
    records, until = await history(system)
    whole = await state(system.log, until)
    for lost in {record.type: record for record in reversed(records)}.values():
        left_out = without(lost)
        found = digest(await state(Damaged(system.log, lost), until, left_out), left_out)
        assert found == digest(whole, left_out), lost
        assert left_out.names() == (f"{lost.topic}/{lost.key}",)


async def test_an_unexplained_row_of_another_account_is_still_reported(
    system: System,
) -> None:
    records, until = await history(system)
    whole = await state(system.log, until)
    lost = next(record for record in records if record.type == "TweetPosted")
    left_out = without(lost)
    folded = await state(Damaged(system.log, lost), until, left_out)
    folded.execute("UPDATE decision_tweets SET version=99 WHERE author!=?", (lost.key,))
    other = digest(folded, left_out)
    assert [table for table, was in digest(whole, left_out).items() if other[table] != was] == ["decision_tweets"]


@pytest.mark.parametrize("key", ["", "nobody's", "'; DROP TABLE decision_tweets"])
async def test_a_lost_record_without_an_account_excludes_its_topic(system: System, key: str) -> None:
    records, until = await history(system)
    whole = await state(system.log, until)
    lost = next(record for record in records if record.type == "TweetPosted")
    left_out = without(lost, msgspec.structs.replace(lost, key=key), lost)
    assert left_out.names() == ("tweets",)
    found = digest(await state(Damaged(system.log, lost), until, left_out), left_out)
    assert found == digest(whole, left_out)
    assert {table for table, (rows, _) in found.items() if not rows} == {"decision_tweets", "decision_media_uses"}
