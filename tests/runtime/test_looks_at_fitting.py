"""Looking whether read models fit the log, while others write."""

import asyncio
from collections.abc import Iterable, Mapping
from unittest.mock import Mock

import pytest

from events.event import Envelope
from events.ids import EventId, Millis, first_id_at
from events.kafka.log import KafkaLogReader
from events.log import Positions, StoredRecord, TopicPartition
from runtime.distributed.consistency import log_identity as fitting
from runtime.distributed.consistency.decision_state import ids_before
from runtime.distributed.consistency.log_identity import LogIdentityWatch
from runtime.distributed.engines import Engines

READ, BUSY = TopicPartition("graph", 0), TopicPartition("graph", 1)


class Busy(KafkaLogReader):
    """A log of which one partition has another record whenever it is read, and that record is answered first."""

    def __init__(self) -> None:
        """There is no Kafka to connect to."""

    async def ends(self) -> Positions:
        return Positions({READ: 3, BUSY: 7})

    async def read_stored(
        self, after: Mapping[TopicPartition, int], limit: int, topics: Iterable[str] | None = None
    ) -> list[StoredRecord]:
        await asyncio.sleep(0)
        records = [(BUSY, after[BUSY]), *((READ, offset) for offset in range(after[READ], 3))]
        return [record(place, offset) for place, offset in records[:limit]]


def record(place: TopicPartition, offset: int) -> StoredRecord:
    about = Envelope(EventId(first_id_at(Millis(offset))), Millis(offset))
    return StoredRecord(place.topic, place.partition, offset, "", "", 1, b"", about)


async def test_the_event_before_a_position_is_found_while_others_write() -> None:
    async with asyncio.timeout(5):
        assert await ids_before(Busy(), {READ: 2}) == {READ: first_id_at(Millis(1))}


async def test_the_event_before_a_position_that_retention_removed_is_not_known() -> None:
    class Shortened(Busy):
        async def read_stored(
            self, after: Mapping[TopicPartition, int], limit: int, topics: Iterable[str] | None = None
        ) -> list[StoredRecord]:
            return await super().read_stored({**after, READ: max(after[READ], 2)}, limit, topics)

    async with asyncio.timeout(5):
        assert await ids_before(Shortened(), {READ: 1}) == {READ: ""}


@pytest.fixture
def told(monkeypatch: pytest.MonkeyPatch) -> list[str | Exception]:
    """What the looks find, one after the other; the last goes on."""
    answers: list[str | Exception] = []

    async def lacking_rows(engines: Engines) -> str:
        answer = answers.pop(0) if len(answers) > 1 else answers[0]
        if isinstance(answer, Exception):
            raise answer
        return answer

    async def misfits(engines: Engines) -> dict[str, str]:
        return {}

    monkeypatch.setattr(fitting, "misfits", misfits)
    monkeypatch.setattr(fitting, "lacking_rows", lacking_rows)
    return answers


async def test_a_row_that_is_not_missed_when_looked_for_again_is_no_loss(told: list[str | Exception]) -> None:
    watching = LogIdentityWatch(Mock(spec_set=()))
    told[:] = ["a tweet is missing", ""]
    await watching.look()
    assert watching.parts() == []
    told[:] = ["a tweet is missing"]
    await watching.look()
    assert [(part.state, part.detail) for part in watching.parts()] == [("degraded", "a tweet is missing")]


async def test_a_look_that_fails_is_followed_by_another(told: list[str | Exception]) -> None:
    watching = LogIdentityWatch(Mock(spec_set=()))
    told[:] = [KeyError("of a look"), "a tweet is missing"]
    looking = asyncio.create_task(watching.run(every_s=0))
    async with asyncio.timeout(5):
        while not watching.parts():  # noqa: ASYNC110  it looks on without an end
            await asyncio.sleep(0)
    looking.cancel()
