"""The driver of Cassandra without our code: the limit of deliveries."""

from __future__ import annotations

import asyncio
import os
import time
from collections.abc import Iterator

from cassandra.cluster import Session
from cassandra.concurrent import execute_concurrent
from cassandra.query import BatchStatement, BatchType, PreparedStatement

from stores.cassandra.address import Address
from stores.cassandra.session import connected

IN_A_BATCH = 100
_AT_ONCE = 256
_BATCHES_AT_ONCE = 32
_TURN = 4096
"""Rows that are submitted at once; the clock is read in between."""
_COLUMNS = "shard, bucket, viewer, activity, author"


async def rows_a_second(address: Address, seconds: float) -> tuple[float, float]:
    """Return rows a second of home timelines: one for each insert, and a hundred of one partition in an
    unlogged batch.
    """
    return await asyncio.to_thread(_measure, address, seconds)


def _measure(address: Address, seconds: float) -> tuple[float, float]:
    cluster, session = connected(address)
    try:
        insert = session.prepare(
            f"INSERT INTO {address.keyspace}.home_timelines ({_COLUMNS}) VALUES (?, ?, ?, ?, ?) USING TTL 2592000"
        )
        insert.is_idempotent = True
        return _singly(session, insert, seconds), _in_batches(session, insert, seconds)
    finally:
        cluster.shutdown()


def _singly(session: Session, insert: PreparedStatement, seconds: float) -> float:
    rows, began = 0, time.perf_counter()
    while (elapsed := time.perf_counter() - began) < seconds:
        execute_concurrent(session, ((insert, row) for row in _rows(_TURN)), concurrency=_AT_ONCE)
        rows += _TURN
    return rows / elapsed


def _in_batches(session: Session, insert: PreparedStatement, seconds: float) -> float:
    rows, began = 0, time.perf_counter()
    while (elapsed := time.perf_counter() - began) < seconds:
        batches = ((_batch(insert), ()) for _ in range(_TURN // IN_A_BATCH))
        execute_concurrent(session, batches, concurrency=_BATCHES_AT_ONCE)
        rows += _TURN // IN_A_BATCH * IN_A_BATCH
    return rows / elapsed


def _batch(insert: PreparedStatement) -> BatchStatement:
    batch = BatchStatement(BatchType.UNLOGGED)
    batch.is_idempotent = True
    shard = os.urandom(1)[0] % 64
    for _, bucket, *rest in _rows(IN_A_BATCH):
        batch.add(insert, (shard, bucket, *rest))
    return batch


def _rows(number: int) -> Iterator[tuple[int, int, bytes, bytes, bytes]]:
    for _ in range(number):
        some = os.urandom(48)
        yield some[0] % 64, 0, some[:16], some[16:32], some[32:]
