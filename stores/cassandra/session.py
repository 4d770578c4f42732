"""Cassandra on asyncio: the driver's thread collects answers and wakes the event loop once for many of them.

Every statement is prepared and goes to a replica of its partition. It is idempotent (writes have their event's
timestamp), so it can be retried; slow reads are sent to a second replica as well. One wake-up for a burst of answers
gives 24,000-27,000 statements a second, a thread pool 10,000-13,000.
"""

from __future__ import annotations

import asyncio
import socket
import time
from collections import deque
from collections.abc import Callable, Hashable, Iterable, Sequence
from dataclasses import dataclass
from typing import Any

from cassandra import ConsistencyLevel, RequestExecutionException, UnresolvableContactPoints
from cassandra.auth import PlainTextAuthProvider
from cassandra.cluster import (
    EXEC_PROFILE_DEFAULT,
    Cluster,
    ExecutionProfile,
    NoHostAvailable,
    OperationTimedOut,
    Session,
)
from cassandra.connection import ConnectionException
from cassandra.policies import (
    ConstantReconnectionPolicy,
    ConstantSpeculativeExecutionPolicy,
    DCAwareRoundRobinPolicy,
    RetryPolicy,
    TokenAwarePolicy,
)
from cassandra.protocol import RequestExecutionException as ServerTrouble
from cassandra.query import UNSET_VALUE, BatchStatement, BatchType, BoundStatement, PreparedStatement, tuple_factory

from events.calls import called

from ..sink import StoreUnavailable
from .address import Address

UNAVAILABLE: tuple[type[Exception], ...] = (
    NoHostAvailable,
    OperationTimedOut,
    RequestExecutionException,  # too few replicas, or too slow ones
    ConnectionException,
    ServerTrouble,  # overloaded, or starting
    UnresolvableContactPoints,
)
MOST_IN_FLIGHT = 512
"""Statements in flight at once. More wait here, since a node would only queue them itself."""
MOST_KEYS = 50
"""Partitions in one read: a page of tweets is one request, and no coordinator gathers hundreds of partitions."""
_RECONNECT_S = 0.25
"""With this delay a session reconnects 7 s after a node was killed; with the driver's default, 17 s."""
_READ_TIMEOUT_S, _WRITE_TIMEOUT_S = 5.0, 10.0
_SPECULATE_S = 0.1
_READ, _WRITE = "read", EXEC_PROFILE_DEFAULT
_MOST_IN_A_BATCH = 100
_PARTITIONS, _LITTLE_BYTES, _ROW_BYTES = 10, 4_000, 60
"""Partitions and bytes in a batch of several partitions. Above 10, or 5 KiB, the node logs a warning."""
_AT_A_TIME = 16
"""Requests sent before other tasks get a turn: with 100 rows each, 5 ms."""

Row = tuple[Any, ...]
Parameters = Sequence[Any]
_Done = Callable[[list[Row] | None, Exception | None], None]


class _Retries(RetryPolicy):  # type: ignore[misc]  # the driver has no types
    """Retries idempotent statements once or twice."""

    def on_write_timeout(self, query: Any, *_: Any, retry_num: int = 0, **__: Any) -> tuple[int, Any]:
        """Retry: some of the replicas may have the write, or none."""
        return (self.RETRY if query.is_idempotent and retry_num == 0 else self.RETHROW), None

    def on_request_error(self, query: Any, consistency: Any, error: Any, retry_num: int) -> tuple[int, Any]:
        """Retry on another node: this one is down or in trouble."""
        return (self.RETRY_NEXT_HOST if query.is_idempotent and retry_num < 2 else self.RETHROW), None


class CassandraSession:
    """A connected cluster, on the event loop that it was connected from."""

    def __init__(self, cluster: Cluster, session: Session) -> None:
        self._cluster = cluster
        self._session = session
        self._loop = asyncio.get_running_loop()
        self._prepared: dict[str, PreparedStatement] = {}
        self._preparing = asyncio.Lock()
        self._answers: deque[tuple[_Done, list[Row] | None, Exception | None]] = deque()
        self._woken = False
        self._in_flight = 0
        self._waiting: deque[tuple[Any, Any, _Done]] = deque()

    @classmethod
    async def connect(cls, address: Address) -> CassandraSession:
        """Connect to a cluster. Raises StoreUnavailable."""
        try:
            return cls(*await asyncio.to_thread(connected, address))
        except UNAVAILABLE as error:
            raise StoreUnavailable(f"Cassandra: {error}") from error

    async def close(self) -> None:
        """Close the connections without waiting for statements in flight."""
        await asyncio.to_thread(self._cluster.shutdown)

    async def read(self, cql: str, parameters: Parameters = ()) -> list[Row]:
        """Return all rows of a query. Raises StoreUnavailable."""
        statement = (await self.prepared(cql)).bind(parameters)
        answer: asyncio.Future[list[Row]] = self._loop.create_future()
        started = time.perf_counter()

        def done(rows: list[Row] | None, error: Exception | None) -> None:
            called("cassandra", started, answered=error is None)
            if answer.done():
                return
            if error is None:
                answer.set_result(rows or [])
            else:
                answer.set_exception(_explained(error))

        self._submit(statement, _READ, done)
        return await answer

    async def read_by_keys(self, cql: str, keys: Iterable[Any], *before: Any, after: Parameters = ()) -> list[Row]:
        """Return the rows of a query with `IN ?`, in no order.

        The keys are split over several requests, all at once.
        """
        wanted = list(keys)
        parts = [wanted[start : start + MOST_KEYS] for start in range(0, len(wanted), MOST_KEYS)]
        found = await asyncio.gather(*(self.read(cql, (*before, part, *after)) for part in parts))
        return found[0] if len(found) == 1 else [row for rows in found for row in rows]

    async def write(self, writes: Iterable[tuple[str, Parameters]]) -> None:
        """Make writes, all in flight at once, batched if they are small. Raises StoreUnavailable.

        When it raises, some writes may have been made, and others may still be made later.
        """
        await self.send(await self.bound(writes))

    async def bound(self, writes: Iterable[tuple[str, Parameters]]) -> list[BoundStatement]:
        """Bind writes for `send`. None in an INSERT leaves a column out, since a null would be a tombstone.

        Raises StoreUnavailable.
        """
        statements = []
        for cql, parameters in writes:
            prepared = self._prepared.get(cql) or await self.prepared(cql)
            if cql.startswith("INSERT"):
                parameters = [UNSET_VALUE if value is None else value for value in parameters]
            statements.append(prepared.bind(parameters))
        return statements

    async def write_if(self, cql: str, parameters: Parameters) -> bool:
        """Make a conditional write once; return whether its condition held.

        Raises StoreUnavailable; it may have been made.
        """
        statement = (await self.prepared(cql)).bind(parameters)
        statement.is_idempotent = False  # a second try would be refused because of the first
        answer: asyncio.Future[bool] = self._loop.create_future()

        def done(rows: list[Row] | None, error: Exception | None) -> None:
            if answer.done():
                return
            if error is None and rows:
                answer.set_result(bool(rows[0][0]))
            else:
                answer.set_exception(_explained(error or AssertionError(f"no condition: {cql}")))

        self._submit(statement, _WRITE, done)
        return await answer

    async def send(self, statements: Sequence[BoundStatement]) -> None:
        """Send bound writes, as `write` does."""
        await self.request(grouped(statements, self._node_of))

    async def request(self, requests: Iterable[Any]) -> None:
        """Send repeatable statements and batches of writes, all in flight at once. Raises StoreUnavailable.

        `requests` may be lazy: it is consumed a few at a time, and other tasks get their turn in between.
        """
        finished: asyncio.Future[None] = self._loop.create_future()
        left = 1
        failure: Exception | None = None
        started = time.perf_counter()

        def done(_: list[Row] | None, error: Exception | None) -> None:
            nonlocal left, failure
            left -= 1
            failure = failure or error
            # Wait for all answers: no write may be made unnoticed after the caller reacted to the failure.
            if left == 0:
                called("cassandra", started, answered=failure is None)
            if left == 0 and not finished.done():
                if failure is None:
                    finished.set_result(None)
                else:
                    finished.set_exception(_explained(failure))

        for number, request in enumerate(requests, 1):
            left += 1
            self._submit(request, _WRITE, done)
            if number % _AT_A_TIME == 0:
                await asyncio.sleep(0)
        done(None, None)
        await finished

    async def prepared(self, cql: str) -> PreparedStatement:
        """Return a statement that is prepared on all nodes, once. Raises StoreUnavailable."""
        if cql not in self._prepared:
            async with self._preparing:
                if cql not in self._prepared:
                    try:
                        statement = await asyncio.to_thread(self._session.prepare, cql)
                    except UNAVAILABLE as error:
                        raise StoreUnavailable(f"Cassandra: {error}") from error
                    statement.is_idempotent = True
                    self._prepared[cql] = statement
        return self._prepared[cql]

    def _node_of(self, statement: BoundStatement) -> Hashable:
        """Return the first replica of a statement's partition; None in a cluster of a single node."""
        metadata = self._cluster.metadata
        if len(metadata.all_hosts()) < 2:
            return None
        replicas = metadata.get_replicas(statement.keyspace, statement.routing_key)
        return replicas[0] if replicas else None

    def _submit(self, statement: Any, profile: Any, done: _Done) -> None:
        if self._in_flight >= MOST_IN_FLIGHT:
            self._waiting.append((statement, profile, done))
            return
        self._in_flight += 1
        try:
            future = self._session.execute_async(statement, execution_profile=profile)
        except UNAVAILABLE as error:
            self._arrived(done, None, error)
            return
        pages: list[Row] = []

        def answered(rows: list[Row] | None) -> None:
            if future.has_more_pages:
                pages.extend(rows or ())
                future.start_fetching_next_page()
            else:
                self._arrived(done, [*pages, *(rows or ())] if pages else rows, None)

        future.add_callbacks(answered, lambda error: self._arrived(done, None, error))

    def _arrived(self, done: _Done, rows: list[Row] | None, error: Exception | None) -> None:
        """Take in an answer, usually in the driver's thread.

        A needless wake-up is cheap, a missing one impossible (`_wake`).
        """
        self._answers.append((done, rows, error))
        if not self._woken and not self._loop.is_closed():
            self._woken = True
            self._loop.call_soon_threadsafe(self._wake)

    def _wake(self) -> None:
        self._woken = False  # before the queue is read: an answer added from here on wakes the loop again
        while self._answers:
            done, rows, error = self._answers.popleft()
            self._in_flight -= 1
            if self._waiting:
                self._submit(*self._waiting.popleft())
            done(rows, error)


def connected(address: Address) -> tuple[Cluster, Session]:
    """Connect and return the driver's cluster and session. This blocks."""
    nodes = TokenAwarePolicy(DCAwareRoundRobinPolicy(address.datacenter))
    shared = {
        "load_balancing_policy": nodes,
        "retry_policy": _Retries(),
        "consistency_level": ConsistencyLevel.LOCAL_QUORUM,
        "serial_consistency_level": ConsistencyLevel.LOCAL_SERIAL,
        "row_factory": tuple_factory,
    }
    speculative = ConstantSpeculativeExecutionPolicy(_SPECULATE_S, 1)
    cluster = Cluster(
        contact_points=list(address.hosts),
        auth_provider=PlainTextAuthProvider(address.user, address.password) if address.user else None,
        execution_profiles={
            EXEC_PROFILE_DEFAULT: ExecutionProfile(**shared, request_timeout=_WRITE_TIMEOUT_S),
            _READ: ExecutionProfile(
                **shared, request_timeout=_READ_TIMEOUT_S, speculative_execution_policy=speculative
            ),
        },
        # A busy node needs more than the driver's 2 s to send the schema of an installation with many tables.
        control_connection_timeout=_WRITE_TIMEOUT_S,
        reconnection_policy=ConstantReconnectionPolicy(_RECONNECT_S, max_attempts=None),
        protocol_version=5,
        # Without this a request right after another waits for its acknowledgement, up to 40 ms.
        sockopts=[(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)],
        application_name="minitwitter",
    )
    try:
        return cluster, cluster.connect(wait_for_all_pools=True)
    except BaseException:
        cluster.shutdown()
        raise


def grouped(
    statements: Sequence[BoundStatement], node_of: Callable[[BoundStatement], Hashable] = lambda statement: None
) -> list[Any]:
    """Group statements into unlogged batches: by partition, and small partitions of one node together.

    A request costs a node as much as some rows: 20,000 rows of 20,000 partitions are written in a third of the time.
    `node_of` returns the node of a statement, so that each batch is sent to a node that stores its rows.
    """
    if len(statements) == 1:
        return [statements[0]]
    partitions: dict[tuple[str, bytes], list[BoundStatement]] = {}
    for statement in statements:
        partitions.setdefault((statement.keyspace, statement.routing_key), []).append(statement)
    requests: list[Any] = []
    open_: dict[Hashable, _Little] = {}
    for partition in partitions.values():
        size = sum(map(_size, partition))
        if size > _LITTLE_BYTES // 2:
            for start in range(0, len(partition), _MOST_IN_A_BATCH):
                requests.append(_together(partition[start : start + _MOST_IN_A_BATCH]))
            continue
        little = open_.setdefault(node_of(partition[0]), _Little([]))
        if little.partitions == _PARTITIONS or little.size + size > _LITTLE_BYTES:
            requests.append(_together(little.statements))
            little.statements, little.partitions, little.size = [], 0, 0
        little.statements += partition
        little.partitions += 1
        little.size += size
    requests += (_together(little.statements) for little in open_.values())
    return requests


@dataclass(slots=True)
class _Little:
    """Small partitions that will share a batch."""

    statements: list[BoundStatement]
    partitions: int = 0
    size: int = 0


def _size(statement: BoundStatement) -> int:
    """Return the approximate size of a write in bytes."""
    return _ROW_BYTES + sum(len(value) for value in statement.values if isinstance(value, bytes))


def _together(statements: Sequence[BoundStatement]) -> Any:
    if len(statements) == 1:
        return statements[0]
    batch = BatchStatement(BatchType.UNLOGGED)
    batch.is_idempotent = True
    batch.add_all(statements, [None] * len(statements))
    return batch


def _explained(error: Exception) -> Exception:
    """Convert an error of the cluster to StoreUnavailable. Any other error is returned unchanged."""
    if not isinstance(error, UNAVAILABLE):
        return error
    unavailable = StoreUnavailable(f"Cassandra: {error}")
    unavailable.__cause__ = error
    return unavailable
