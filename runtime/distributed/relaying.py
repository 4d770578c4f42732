"""The relay as a process: `minitwitter work relay`. Any number run; one leads."""

from __future__ import annotations

import asyncio
from collections.abc import Sequence

from starlette.types import ASGIApp

from command_api.postgres.connections import open_pool, run
from command_api.postgres.kept import KeptKeys
from command_api.postgres.outbox import depth
from command_api.postgres.relay import Relay
from events.ids import wall_clock
from events.kafka.producing import KafkaPublisher
from events.log import LogUnavailable
from runtime import metrics
from runtime.readiness import Part
from runtime.settings import Settings

from .bare import bare_application
from .deciding import check_migrated, check_topics, kept_topic, publisher
from .judging import relay_parts
from .process import required

COUNT_S = 2.0
"""Seconds between counts of the rows that wait."""


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
        kept = KeptKeys(self._pool, kept_topic(self._settings, self._publisher))
        self._relay = relay = Relay(self._url, self._publisher, ahead=kept.publish_of)
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
        await asyncio.gather(self._relay.run(), self._keep_counting())

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
