"""The role of the command API: `minitwitter serve command`. It decides on PostgreSQL and appends to Kafka."""

from __future__ import annotations

import asyncio
import os
from collections.abc import AsyncIterator, Sequence
from contextlib import aclosing, asynccontextmanager

from starlette.types import ASGIApp

from events.ids import Clock, Randomness, wall_clock
from rest.jwks import jwks
from rest.rate_limits import LocalRateLimits
from rest.shared_rate_limits import SharedRateLimits
from rest.signing import ConsistencyTokens
from runtime import metrics
from runtime.app import build_app
from runtime.command_side import command_side
from runtime.distributed.command_store import DistributedCommandStore
from runtime.distributed.roles.health_app import NothingToApply
from runtime.distributed.roles.readiness import command_parts
from runtime.distributed.settings import CommandSettings
from runtime.media import MediaSide
from runtime.readiness import Part
from runtime.routes import COMMAND_ROUTERS
from stores.redis.connection import Client, connect
from stores.redis.rate_limits import RedisTokenBuckets
from stores.sink import StoreUnavailable

LIMITS_TIMEOUT_S = 0.25
MEDIA_S = 10.0
"""Seconds between polls of the media store."""


class CommandRole:
    """The command API: every method but GET."""

    def __init__(
        self, settings: CommandSettings, command_store: DistributedCommandStore, media: MediaSide, redis: Client
    ) -> None:
        self._settings = settings
        self._command_store = command_store
        self._media = media
        self._media_detail = ""
        self._redis = redis

    @classmethod
    @asynccontextmanager
    async def open(
        cls, settings: CommandSettings, clock: Clock = wall_clock, randomness: Randomness = os.urandom
    ) -> AsyncIterator[CommandRole]:
        """Connect to the stores; at the end finish the running commands.

        Raises LogUnavailable, StoreUnavailable, WrongTopics, NotMigrated.
        """
        async with (
            # Every command waits for it: if it is slow, each process uses its own buckets instead.
            aclosing(connect(settings.redis, timeout_s=LIMITS_TIMEOUT_S)) as redis,
            DistributedCommandStore.open(settings, clock, randomness) as command_store,
        ):
            media = MediaSide(
                settings, secret=command_store.authentication.token_key, clock=clock, randomness=randomness
            )
            try:
                await media.prepare()
                yield cls(settings, command_store, media, redis)
            finally:
                media.close()

    def application(self) -> ASGIApp:
        """The writing routes, the public keys of tokens, health and metrics."""
        settings, command_store, media = self._settings, self._command_store, self._media
        clock, authentication = command_store.clock, command_store.authentication
        tokens = ConsistencyTokens(authentication.token_key)
        command_store.store.on_group(metrics.COMMIT_COMMANDS.observe)
        metrics.BREAKER.set_function(lambda: float(bool(command_store.kafka_detail)))
        own = LocalRateLimits(clock)
        limits = SharedRateLimits(RedisTokenBuckets(self._redis, clock, authentication.token_key), own, clock)
        limits.on_refused = lambda name: metrics.RATE_LIMITED.labels(name).inc()
        return build_app(
            settings,
            *COMMAND_ROUTERS,
            jwks(authentication.signing_keys.jwks),
            *media.store_routers,
            roles=(metrics.COMMAND,),
            parts=lambda: list(self.parts()),
            clock=clock,
            randomness=command_store.randomness,
            authenticate=authentication.authenticator().authenticate,
            shared_limits=limits,
            own_limits=own,
            applied=NothingToApply(),
            tokens=tokens,
            command=command_side(
                settings,
                store=command_store.store,
                ids=command_store.ids,
                clock=clock,
                randomness=command_store.randomness,
                tokens=tokens,
                limits=limits,
                passwords=command_store.passwords,
                signing_keys=authentication.signing_keys,
                roles=authentication.roles,
                token_lifetime_ms=authentication.token_lifetime_ms,
                tickets=authentication.tickets(),
                uploads=media.uploads,
                token_key=authentication.token_key,
            ),
            longer=media.longer,
        )

    def parts(self) -> Sequence[Part]:
        """PostgreSQL, without which no command is decided, and Kafka, without which writes wait in the outbox."""
        command_store = self._command_store
        return command_parts(postgres=command_store.detail, kafka=command_store.kafka_detail, media=self._media_detail)

    async def run(self) -> None:
        """Poll for changes by other processes, until cancelled."""
        await asyncio.gather(self._command_store.run(), self._poll_media())

    async def _poll_media(self) -> None:
        """Poll whether the media store answers: the next upload may come much later."""
        while True:
            await asyncio.sleep(MEDIA_S)
            try:
                await self._media.prepare()
                self._media_detail = ""
            except StoreUnavailable as error:
                self._media_detail = str(error)
