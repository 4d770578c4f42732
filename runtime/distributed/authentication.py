"""Who is asking, as every process knows it that serves an API: keys, secrets and ended sessions, out of PostgreSQL."""

from __future__ import annotations

import asyncio
from math import inf

from command_api.postgres.revocations import RevocationListener
from command_api.postgres.signing_keys import PostgresSigningKeys
from events.ids import Clock, HybridClock, Randomness
from events.log import LogUnavailable
from events.postgres.connections import Pool
from events.postgres.keys import PostgresKeys
from events.sealing import Sealer
from rest.authentication import Authenticator
from rest.revocations import RecentRevocations
from rest.tickets import Tickets
from runtime import metrics
from runtime.command_side import REVOCATION_SLACK_MS
from runtime.settings import Settings
from runtime.telemetry import logger

LOOK_S = 2.0
"""Seconds between looks for signing keys that other processes made."""


class Authenticating:
    """Verifies whoever asks, once `start` has come to its end."""

    def __init__(self, settings: Settings, pool: Pool, sealer: Sealer, clock: Clock, randomness: Randomness) -> None:
        assert settings.postgres_url is not None
        self._settings = settings
        self._clock = clock
        self.token_lifetime_ms = settings.access_token_minutes * 60_000
        self.keep_ms = self.token_lifetime_ms + REVOCATION_SLACK_MS
        self.revocations = RecentRevocations(self.keep_ms)
        self.keys = PostgresKeys(pool, sealer, randomness)
        # A drift of their own: when keys are made has nothing to do with ids of events.
        self.signing_keys = PostgresSigningKeys(
            pool, sealer, HybridClock(clock, randomness, drift_ms=inf), self.keep_ms
        )
        url = settings.postgres_url.get_secret_value()
        self._listener = RevocationListener(url, clock, self.keep_ms, self.revocations.add)
        self._listening = False
        self.token_key = b""
        self.detail = ""
        """What keeps it from looking after what other processes do; empty when nothing does."""

    async def start(self) -> None:
        """Read the keys and begin to listen. Raises LogUnavailable, and then can be called again."""
        secret = self._settings.token_secret
        self.token_key = await self.keys.secret("tokens") if secret is None else secret.get_secret_value().encode()
        await self.signing_keys.refresh()
        if not self._listening:
            await self._listener.start()
            self._listening = True

    def authenticator(self) -> Authenticator:
        """What verifies access tokens."""
        authenticator = Authenticator(
            self.signing_keys,
            self.revocations,
            self._clock,
            issuer=self._settings.issuer,
            lifetime_ms=self.token_lifetime_ms,
        )
        metrics.CACHES["access tokens"] = lambda: (authenticator.asked, authenticator.verified)
        return authenticator

    def tickets(self) -> Tickets:
        """What issues and redeems tickets for streams."""
        return Tickets(self.token_key, self.revocations, self._clock)

    async def keep_looking(self) -> None:
        """Look for keys again and again, until cancelled."""
        log = logger("minitwitter.authenticating")
        while True:
            await asyncio.sleep(LOOK_S)
            try:
                await self.signing_keys.refresh()
                self.detail = ""
            except LogUnavailable as error:
                if not self.detail:
                    log.warning("PostgreSQL is away", detail=str(error))
                self.detail = str(error)

    async def close(self) -> None:
        """Listen no longer."""
        if self._listening:
            await self._listener.close()
