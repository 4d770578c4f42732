"""The relay: publishes outbox rows that were handed back or have an expired lease. Several can run; one leads.

The leader holds an advisory lock as long as its connection lasts; the others try to take it twice a second. If two
believe for a moment that they lead, some records are published twice. The first copies are still in order, because a
row is published only after the previous row of its entity is marked as published.

NOTIFY wakes the relay for handed-back rows, which it publishes within a few ms. It polls every quarter of a second for
expired leases, of which nothing notifies it.
"""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable, Iterable, Sequence

from events.first_copies import Entity
from events.log import LogUnavailable
from events.postgres.connections import UNAVAILABLE, Connection, connect
from events.publishing import Publisher
from events.retries import Backoff, Outage

from .outbox import WAITING, WaitingRow, note, prune, waiting

KEPT_S = 3600.0
"""Seconds for which a published row is kept, because a Consistency-Token may name it."""
WINDOW = 500
_LEADER = 0x72656C6179
"""The advisory lock of the leader: `relay` in ASCII."""
_LOOK_S = 0.25
_ASK_S = 0.5
_PRUNE_S = 5.0
_PRUNED_AT_ONCE = 2_000
_AFTER_FAILURE = Backoff((0.1, 0.2, 0.5, 1.0))


class Relay:
    """Publishes until it is cancelled. `leads` tells whether it leads; `published` counts the published rows.

    `first` is called whenever it becomes the leader, before it publishes. `ahead` is called with the keys of the rows
    to publish next, and publishes the encryption keys that have to be in the log before them. Both may raise
    LogUnavailable; they are called again.
    """

    def __init__(
        self,
        url: str,
        publisher: Publisher,
        *,
        kept_s: float = KEPT_S,
        first: Callable[[], Awaitable[object]] | None = None,
        ahead: Callable[[Sequence[str]], Awaitable[None]] | None = None,
    ) -> None:
        self._url = url
        self._publisher = publisher
        self._kept_s = kept_s
        self._first = first
        self._ahead = ahead
        self._postgres = Outage(_AFTER_FAILURE, "the relay and PostgreSQL")
        self._log = Outage(_AFTER_FAILURE, "the relay and the log")
        self.leads = False
        self.published = 0

    async def run(self) -> None:
        """Become the leader and publish; retry while PostgreSQL or the log is unavailable."""
        while True:
            try:
                async with await connect(self._url) as connection:
                    await self._wait_to_lead(connection)
                    try:
                        await self._lead(connection)
                    finally:
                        self.leads = False
            except UNAVAILABLE as error:
                await self._postgres.wait(error)

    async def _wait_to_lead(self, connection: Connection) -> None:
        while True:
            cursor = await connection.execute("SELECT pg_try_advisory_lock(%s)", (_LEADER,))
            if await cursor.fetchone() == (True,):
                return
            self._postgres.end()
            await asyncio.sleep(_ASK_S)

    async def _lead(self, connection: Connection) -> None:
        self.leads = True
        await connection.execute(f"LISTEN {WAITING}".encode())
        loop = asyncio.get_running_loop()
        prune_at, first = loop.time(), self._first
        while True:
            if loop.time() >= prune_at:
                pruned = await prune(connection, self._kept_s, _PRUNED_AT_ONCE)
                prune_at = loop.time() + (0 if pruned == _PRUNED_AT_ONCE else _PRUNE_S)
            found = await waiting(connection, WINDOW)
            try:
                if first is not None:
                    await first()
                    first = None
                queues = ready(found)
                if queues and self._ahead is not None:
                    await self._ahead([queue[0].record.key for queue in queues])
                published = await self._publish(connection, queues)
            except LogUnavailable as error:
                await self._log.wait(error)
                continue
            self._postgres.end()
            self._log.end()
            if not published:
                # Notifications that arrived with earlier answers are delivered here.
                async for _ in connection.notifies(timeout=_LOOK_S, stop_after=1):
                    pass
                async for _ in connection.notifies(timeout=0):  # drain them: one poll serves all
                    pass

    async def _publish(self, connection: Connection, queues: Iterable[list[WaitingRow]]) -> bool:
        """Publish the queues concurrently, each in order; return whether there was a row. Raises LogUnavailable."""
        done: list[tuple[int, str]] = []

        async def drain(queue: list[WaitingRow]) -> None:
            for row in queue:
                done.append((row.number, str(await self._publisher.publish([row.record]))))

        outcomes = await asyncio.gather(*map(drain, queues), return_exceptions=True)
        if done:
            self.published += len(done)
            await note(connection, done)
            self._failures = 0
        for outcome in outcomes:
            if isinstance(outcome, BaseException):
                raise outcome
        return bool(done)


def ready(rows: Iterable[WaitingRow]) -> list[list[WaitingRow]]:
    """Return the rows to publish now: for each entity a queue of the rows before the first leased one."""
    queues: dict[Entity, list[WaitingRow]] = {}
    held: set[Entity] = set()
    for row in rows:
        entity = (row.record.topic, row.record.key)
        if not row.free:
            held.add(entity)
        elif entity not in held:
            queues.setdefault(entity, []).append(row)
    return list(queues.values())
