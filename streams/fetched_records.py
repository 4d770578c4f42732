"""Decode the records of a fetch, with one behaviour of aiokafka 0.14 replaced.

aiokafka's decoder fails on a header whose name is not UTF-8, at every attempt: one record of another program would
block a worker for ever. Here such a fetch is decoded again by aiokafka's decoder in Python, and the record gets no
headers. A record without the attributes of an event becomes a dead letter.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace
from typing import Any

from aiokafka.consumer import fetcher
from aiokafka.record.default_records import _DefaultRecordBatchPy
from aiokafka.record.memory_records import MemoryRecords

_IN_FRONT = 12
"""The bytes at the start of a batch that its length does not count. The last four of them are the length."""
_NO_NAME = "\ufffd"


class PartitionRecords(fetcher.PartitionRecords):  # type: ignore[misc]
    """The fetched records of one partition."""

    _records: Any

    def _unpack_records(self) -> Iterator[Any]:
        unpack = super()._unpack_records
        try:
            yield from unpack()
        except UnicodeDecodeError:
            since = self.next_fetch_offset
            self._records = _Batches(self._records.content)
            yield from (record for record in unpack() if record.offset >= since)


class Fetched(MemoryRecords):  # type: ignore[misc]
    """The fetched batches of one partition, decoded by aiokafka's C code."""

    def __init__(self, content: bytes) -> None:
        super().__init__(content)
        self.content = content


class _Batches:
    """The fetched batches, decoded in Python. All have the format with headers, the only one that current brokers
    store.
    """

    def __init__(self, content: bytes) -> None:
        self._left = memoryview(content)

    def has_next(self) -> bool:
        return len(self._left) >= _IN_FRONT and len(self._left) >= self._size()

    def next_batch(self) -> Any:
        size = self._size()
        batch, self._left = self._left[:size], self._left[size:]
        return _Batch(batch)

    def _size(self) -> int:
        return _IN_FRONT + int.from_bytes(self._left[8:_IN_FRONT], "big")


class _Batch(_DefaultRecordBatchPy):  # type: ignore[misc]
    _buffer: bytearray

    def _read_msg(self, *_: Any) -> Any:
        if not isinstance(self._buffer, _Buffer):  # decompressing replaces it
            self._buffer = _Buffer(self._buffer)
        record = super()._read_msg()
        return replace(record, headers=[]) if _NO_NAME in dict(record.headers) else record


class _Buffer(bytearray):
    """Bytes whose slices can be decoded, even if they are not UTF-8."""

    def __getitem__(self, at: Any) -> Any:
        found = super().__getitem__(at)
        return _Part(found) if isinstance(at, slice) else found


class _Part(bytearray):
    def decode(self, encoding: str = "utf-8", errors: str = "strict") -> str:
        try:
            return super().decode(encoding, errors)
        except UnicodeDecodeError:
            return _NO_NAME


def install() -> None:
    """Make aiokafka's consumers decode with the classes of this module."""
    fetcher.MemoryRecords = Fetched
    fetcher.PartitionRecords = PartitionRecords
