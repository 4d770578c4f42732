"""The role of the relay: `minitwitter work relay`. Several may run; one leads."""

from __future__ import annotations

import asyncio
import contextlib
from collections.abc import AsyncIterator, Sequence
from contextlib import asynccontextmanager

from starlette.types import ASGIApp

from command_api.postgres.kept import KeptKeys
from command_api.postgres.outbox import depth
from command_api.postgres.relay import Relay
from command_api.postgres.taking_back import TakingBack
from events.ids import wall_clock
from events.kafka.producing import KafkaPublisher
from events.log import LogUnavailable
from events.postgres.connections import Pool, run
from events.postgres.keys import PostgresKeys
from runtime import metrics
from runtime.distributed.decision_database import decision_database
from runtime.distributed.kafka_clients import kept_topic, publisher
from runtime.distributed.roles.health_app import health_app
from runtime.distributed.roles.readiness import relay_parts
from runtime.distributed.settings import DecisionSettings
from runtime.readiness import Part

COUNT_S = 2.0
"""Seconds between counts of the waiting rows."""
TICK_S = 3600.0
"""Seconds between records that make Kafka compact its topic of keys."""


class RelayRole:
    """Publishes the records that the deciding processes could not publish."""

    def __init__(self, settings: DecisionSettings, pool: Pool, keys: PostgresKeys, publisher: KafkaPublisher) -> None:
        self._settings = settings
        self._pool = pool
        self._publisher = publisher
        self._topic = kept_topic(settings, publisher)
        # A key that was destroyed since the backup must not be published again.
        taking = TakingBack(pool, keys, self._topic)
        kept = KeptKeys(pool, self._topic)
        self._relay = relay = Relay(settings.postgres, publisher, first=taking.take_back, ahead=kept.publish_of)
        self._detail = ""
        metrics.RELAY_LEADS.set_function(lambda: float(relay.leads))
        metrics.BREAKER.set_function(lambda: float(publisher.breaker.is_open))

    @classmethod
    @asynccontextmanager
    async def open(cls, settings: DecisionSettings) -> AsyncIterator[RelayRole]:
        """Connect to PostgreSQL and Kafka until closed. Raises LogUnavailable, WrongTopics, NotMigrated."""
        async with decision_database(settings, most=2) as (pool, keys), publisher(settings) as published:
            yield cls(settings, pool, keys, published)

    def application(self) -> ASGIApp:
        """Health and metrics."""
        return health_app(self._settings, self.parts, metrics.RELAY)

    def parts(self) -> Sequence[Part]:
        """The two ends. A relay that waits to lead is ready."""
        down = self._publisher.breaker.is_open
        return relay_parts(postgres=self._detail, kafka="Kafka does not answer" if down else "")

    async def run(self) -> None:
        """Relay until cancelled."""
        await asyncio.gather(self._relay.run(), self._count(), self._tick())

    async def _tick(self) -> None:
        """Make Kafka compact the topic of keys, also in partitions without new records."""
        while True:
            wait_s = COUNT_S
            if self._relay.leads:
                with contextlib.suppress(LogUnavailable):
                    await self._topic.tick()
                    wait_s = TICK_S
            await asyncio.sleep(wait_s)

    async def _count(self) -> None:
        """Count the waiting rows, also if another relay leads: the leader may hang."""
        while True:
            try:
                found = await run(self._pool, depth)
            except LogUnavailable as error:  # the last count stays
                self._detail = str(error)
            else:
                self._detail = ""
                metrics.OUTBOX_ROWS.set(found.rows)
                age_ms = 0 if found.oldest is None else max(0, wall_clock() - found.oldest)
                metrics.OUTBOX_SECONDS.set(age_ms / 1000)
            await asyncio.sleep(COUNT_S)
