"""The command API as a process: `minitwitter serve command`. It decides on PostgreSQL and appends to Kafka."""

from __future__ import annotations

import asyncio
import os
from collections.abc import Sequence

from starlette.types import ASGIApp

from events.ids import Clock, Randomness, wall_clock
from rest.jwks import jwks
from rest.rate_limits import LocalRateLimits
from rest.shared_rate_limits import SharedRateLimits
from rest.signing import ConsistencyTokens
from runtime import metrics
from runtime.app import build_app
from runtime.command_side import command_side
from runtime.distributed.command_store import Deciding
from runtime.distributed.roles.health_app import NothingToApply
from runtime.distributed.roles.process import required
from runtime.distributed.roles.readiness import command_parts
from runtime.media import MediaSide
from runtime.readiness import Part
from runtime.routes import COMMAND_ROUTERS
from runtime.settings import Settings
from stores.redis.connection import connect
from stores.redis.rate_limits import RedisTokenBuckets
from stores.sink import StoreUnavailable

LIMITS_TIMEOUT_S = 0.25
MEDIA_S = 10.0
"""Seconds between questions to the store of media."""


class Commanding:
    """The role of the command API: everything but GET."""

    name = "command"

    def __init__(self, settings: Settings, clock: Clock = wall_clock, randomness: Randomness = os.urandom) -> None:
        self._settings = settings
        self._deciding = Deciding(settings, clock, randomness)
        self._media: MediaSide | None = None
        self._media_detail = ""
        required(settings, "redis_url")
        assert settings.redis_url is not None
        # It is in the way of every command: rather each process's own buckets than a long wait for everyone's.
        self._redis = connect(settings.redis_url.get_secret_value(), timeout_s=LIMITS_TIMEOUT_S)

    async def start(self) -> None:
        """Open the stores. Raises LogUnavailable, StoreUnavailable, WrongTopics, NotMigrated."""
        deciding = self._deciding
        await deciding.start()
        if self._media is None:
            self._media = MediaSide(
                self._settings, secret=deciding.who.token_key, clock=deciding.clock, randomness=deciding.randomness
            )
        await self._media.prepare()

    def application(self) -> ASGIApp:
        """The writing routes, the keys that tokens are verified with, health and metrics."""
        settings, deciding, media = self._settings, self._deciding, self._media
        assert media is not None
        clock, who = deciding.clock, deciding.who
        tokens = ConsistencyTokens(who.token_key)
        deciding.store.on_group(metrics.COMMIT_COMMANDS.observe)
        metrics.BREAKER.set_function(lambda: float(bool(deciding.kafka_detail)))
        own = LocalRateLimits(clock)
        limits = SharedRateLimits(RedisTokenBuckets(self._redis, clock, who.token_key), own, clock)
        limits.on_refused = lambda name: metrics.RATE_LIMITED.labels(name).inc()
        return build_app(
            settings,
            *COMMAND_ROUTERS,
            jwks(who.signing_keys.jwks),
            *media.store_routers,
            roles=(metrics.COMMAND,),
            parts=lambda: list(self.parts()),
            clock=clock,
            randomness=deciding.randomness,
            authenticate=who.authenticator().authenticate,
            shared_limits=limits,
            own_limits=own,
            applied=NothingToApply(),
            tokens=tokens,
            command=command_side(
                settings,
                store=deciding.store,
                ids=deciding.ids,
                clock=clock,
                randomness=deciding.randomness,
                tokens=tokens,
                limits=limits,
                passwords=deciding.passwords,
                signing_keys=who.signing_keys,
                token_lifetime_ms=who.token_lifetime_ms,
                tickets=who.tickets(),
                uploads=media.uploads,
                token_key=who.token_key,
            ),
            longer=media.longer,
        )

    def parts(self) -> Sequence[Part]:
        """PostgreSQL, without which nothing is decided, and Kafka, without which writes go on into the outbox."""
        return command_parts(
            postgres=self._deciding.detail, kafka=self._deciding.kafka_detail, media=self._media_detail
        )

    async def run(self) -> None:
        """Look after what other processes do."""
        await asyncio.gather(self._deciding.run(), self._keep_asking_for_media())

    async def _keep_asking_for_media(self) -> None:
        """Ask whether the store of media answers: uploads may be few."""
        assert self._media is not None
        while True:
            await asyncio.sleep(MEDIA_S)
            try:
                await self._media.prepare()
                self._media_detail = ""
            except StoreUnavailable as error:
                self._media_detail = str(error)

    async def stop(self) -> None:
        """Finish the commands in hand."""
        await self._deciding.stop()
        await self._redis.aclose()
        if self._media is not None:
            self._media.close()
