"""All fetched records of a partition are decoded once, with any bytes in their headers."""

import pytest
from aiokafka.consumer.fetcher import READ_UNCOMMITTED
from aiokafka.record.default_records import _DefaultRecordBatchBuilderPy
from aiokafka.structs import ConsumerRecord, TopicPartition

from streams.fetched_records import Fetched, PartitionRecords


class Name(str):
    """A header's name with any bytes, as clients in other languages can send it."""

    def encode(self, *_: str) -> bytes:
        return self.__str__().encode("latin-1")


Headers = list[tuple[str, bytes | None]]

GOOD: Headers = [("ce_type", b"\xff"), ("\u00fcber", None)]
BROKEN: Headers = [("ce_type", b"TweetPosted"), (Name("\xff\xfe"), b"1")]


def batch(first: int, headers: list[Headers], compression: int = 0) -> bytes:
    """Return a batch of records from an offset on, with these headers."""
    builder = _DefaultRecordBatchBuilderPy(2, compression, 0, -1, -1, -1, 1 << 20)
    for n, each in enumerate(headers):
        assert builder.append(n, 1_790_000_000_000, b"key", b"value %d" % (first + n), each)
    built = builder.build()
    built[:8] = first.to_bytes(8, "big")
    return bytes(built)


def records(content: bytes, since: int = 0) -> list[ConsumerRecord]:
    return list(
        PartitionRecords(TopicPartition("tweets", 0), Fetched(content), None, since, None, None, True, READ_UNCOMMITTED)
    )


@pytest.mark.parametrize("compression", [0, 1])
@pytest.mark.parametrize("since", [0, 2])
def test_a_record_with_a_name_that_is_no_utf_8_has_no_headers_and_the_others_have_theirs(
    since: int, compression: int
) -> None:
    content = batch(0, [GOOD, GOOD, GOOD]) + batch(3, [GOOD, BROKEN, [], BROKEN, GOOD], compression) + batch(8, [GOOD])
    found = records(content + batch(9, [GOOD])[:40], since)
    assert [record.offset for record in found] == list(range(since, 9))
    assert [record.value for record in found] == [b"value %d" % n for n in range(since, 9)]
    headers: dict[int, Headers] = {4: [], 5: [], 6: []}
    assert [list(record.headers) for record in found] == [headers.get(n, GOOD) for n in range(since, 9)]
