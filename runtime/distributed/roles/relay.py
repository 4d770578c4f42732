"""The relay as a process: `minitwitter work relay`. Any number run; one leads."""

from __future__ import annotations

import asyncio
import contextlib
from collections.abc import Sequence

from starlette.types import ASGIApp

from command_api.postgres.kept import KeptKeys
from command_api.postgres.outbox import depth
from command_api.postgres.relay import Relay
from command_api.postgres.taking_back import TakingBack
from events.ids import wall_clock
from events.kafka.producing import KafkaPublisher
from events.log import LogUnavailable
from events.postgres.connections import open_pool, run
from events.postgres.keys import PostgresKeys
from events.sealing import Sealer
from runtime import metrics
from runtime.distributed.command_store import check_migrated, check_topics, kept_topic, master_keys, publisher
from runtime.distributed.roles.health_app import bare_application
from runtime.distributed.roles.process import required
from runtime.distributed.roles.readiness import relay_parts
from runtime.readiness import Part
from runtime.settings import Settings

COUNT_S = 2.0
"""Seconds between counts of the rows that wait."""
TICK_S = 3600.0
"""Seconds between records that have Kafka compact its topic of keys."""


class Relaying:
    """The role of publishing what the processes that decided it could not."""

    name = "relay"

    def __init__(self, settings: Settings) -> None:
        required(settings, "kafka_url", "postgres_url")
        assert settings.postgres_url is not None
        self._settings = settings
        self._url = settings.postgres_url.get_secret_value()
        self._pool = open_pool(self._url, most=2)
        self._opened = False
        self._detail = ""
        self._publisher: KafkaPublisher | None = None
        self._relay: Relay | None = None

    async def start(self) -> None:
        """See that the engines are what they have to be. Raises LogUnavailable, WrongTopics, NotMigrated."""
        if not self._opened:
            await self._pool.open()
            self._opened = True
        await check_migrated(self._pool)
        await check_topics(self._settings)
        self._publisher = publisher(self._settings)
        self._topic = kept_topic(self._settings, self._publisher)
        # A key that was destroyed since the backup is not to be published again as it was.
        taking = TakingBack(self._pool, PostgresKeys(self._pool, Sealer(master_keys(self._settings))), self._topic)
        kept = KeptKeys(self._pool, self._topic)
        self._relay = relay = Relay(self._url, self._publisher, first=taking.take_back, ahead=kept.publish_of)
        breaker = self._publisher.breaker
        metrics.RELAY_LEADS.set_function(lambda: float(relay.leads))
        metrics.BREAKER.set_function(lambda: float(breaker.is_open))

    def application(self) -> ASGIApp:
        """Health and metrics."""
        return bare_application(self._settings, self.parts, metrics.RELAY)

    def parts(self) -> Sequence[Part]:
        """It is ready when it runs: waiting to lead is what all but one do."""
        down = self._publisher is not None and self._publisher.breaker.is_open
        return relay_parts(postgres=self._detail, kafka="Kafka does not answer" if down else "")

    async def run(self) -> None:
        """Relay until cancelled."""
        assert self._relay is not None
        await asyncio.gather(self._relay.run(), self._keep_counting(), self._keep_ticking(self._relay))

    async def _keep_ticking(self, relay: Relay) -> None:
        """Have what was replaced in the topic of keys compacted, also where nothing is written to a partition."""
        while True:
            wait_s = COUNT_S
            if relay.leads:
                with contextlib.suppress(LogUnavailable):
                    await self._topic.tick()
                    wait_s = TICK_S
            await asyncio.sleep(wait_s)

    async def _keep_counting(self) -> None:
        """Count what waits, also where another relay leads: the one that leads may be the one that hangs."""
        while True:
            try:
                found = await run(self._pool, depth)
            except LogUnavailable as error:  # what was counted last stays
                self._detail = str(error)
            else:
                self._detail = ""
                metrics.OUTBOX_ROWS.set(found.rows)
                age_ms = 0 if found.oldest is None else max(0, wall_clock() - found.oldest)
                metrics.OUTBOX_SECONDS.set(age_ms / 1000)
            await asyncio.sleep(COUNT_S)

    async def stop(self) -> None:
        """Let what is on its way arrive."""
        if self._publisher is not None:
            await self._publisher.close()
        if self._opened:
            await self._pool.close()
