"""What aiokafka decodes of a fetch, with one thing of aiokafka 0.14 replaced.

A header whose name is no UTF-8 ends its decoder, at each attempt anew: one record by another program would keep a
worker from everything behind it. Such a fetch is decoded once more, by aiokafka's decoder in Python, and the record has
no headers: a record without the attributes of an event is set aside.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace
from typing import Any

from aiokafka.consumer import fetcher
from aiokafka.record.default_records import _DefaultRecordBatchPy
from aiokafka.record.memory_records import MemoryRecords

_IN_FRONT = 12
"""Bytes of a batch that its length, which is the last four of them, does not count."""
_NO_NAME = "\ufffd"


class PartitionRecords(fetcher.PartitionRecords):  # type: ignore[misc]
    """The records that were fetched of one partition."""

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
    """The batches that were fetched of one partition, decoded by aiokafka in C."""

    def __init__(self, content: bytes) -> None:
        super().__init__(content)
        self.content = content


class _Batches:
    """The same, decoded in Python. All are of the form that has headers: brokers of today keep no other."""

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
        if not isinstance(self._buffer, _Buffer):  # it is another one once it is decompressed
            self._buffer = _Buffer(self._buffer)
        record = super()._read_msg()
        return replace(record, headers=[]) if _NO_NAME in dict(record.headers) else record


class _Buffer(bytearray):
    """Bytes whose parts can be decoded, whatever they are."""

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
    """Have aiokafka's consumers decode with these."""
    fetcher.MemoryRecords = Fetched
    fetcher.PartitionRecords = PartitionRecords
