"""Authentication in the processes that serve an API, with the keys, secrets and ended sessions in PostgreSQL."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from math import inf

from command_api.postgres.access_listener import AccessListener
from command_api.postgres.signing_keys import PostgresSigningKeys
from events.ids import Clock, HybridClock, Randomness
from events.log import LogUnavailable
from events.postgres.connections import Pool
from events.postgres.keys import PostgresKeys
from rest.authentication import Authenticator
from rest.revocations import RecentRevocations
from rest.roles import Roles
from rest.tickets import Tickets
from runtime import metrics
from runtime.command_side import REVOCATION_SLACK_MS
from runtime.distributed.settings import DecisionSettings
from runtime.telemetry import logger

POLL_S = 2.0
"""Seconds between polls for signing keys that other processes made."""


class Authentication:
    """Verifies access tokens and tickets. `token_key` signs cursors and consistency tokens.

    `keep_ms` is how long an ended session is remembered.
    """

    def __init__(
        self,
        settings: DecisionSettings,
        token_key: bytes,
        signing_keys: PostgresSigningKeys,
        revocations: RecentRevocations,
        roles: Roles,
        clock: Clock,
    ) -> None:
        self._settings = settings
        self._clock = clock
        self.token_key = token_key
        self.signing_keys = signing_keys
        self.revocations = revocations
        self.roles = roles
        self.detail = ""
        """Why keys of other processes cannot be polled; empty while they can."""

    @classmethod
    @asynccontextmanager
    async def open(
        cls, settings: DecisionSettings, pool: Pool, keys: PostgresKeys, clock: Clock, randomness: Randomness
    ) -> AsyncIterator[Authentication]:
        """Read the keys, and listen for ended sessions and new roles until closed. Raises LogUnavailable."""
        keep_ms = token_lifetime_ms(settings) + REVOCATION_SLACK_MS
        secret = settings.token_secret
        token_key = await keys.secret("tokens") if secret is None else secret.get_secret_value().encode()
        # These are no ids of events, so they may be ahead of the clock by any time.
        ids = HybridClock(clock, randomness, drift_ms=inf)
        signing_keys = PostgresSigningKeys(pool, keys.sealer, ids, keep_ms)
        await signing_keys.refresh()
        revocations = RecentRevocations(keep_ms)
        roles = Roles()
        listener = AccessListener(settings.postgres, clock, keep_ms, revocations.add, roles.replace)
        try:
            await listener.start()
            yield cls(settings, token_key, signing_keys, revocations, roles, clock)
        finally:
            await listener.close()

    @property
    def token_lifetime_ms(self) -> int:
        """The lifetime of an access token."""
        return token_lifetime_ms(self._settings)

    @property
    def keep_ms(self) -> int:
        """How long an ended session is remembered."""
        return self.token_lifetime_ms + REVOCATION_SLACK_MS

    def authenticator(self) -> Authenticator:
        """The object that verifies access tokens."""
        authenticator = Authenticator(
            self.signing_keys,
            self.revocations,
            self.roles,
            self._clock,
            issuer=self._settings.issuer,
            lifetime_ms=self.token_lifetime_ms,
        )
        metrics.CACHES["access tokens"] = lambda: (authenticator.asked, authenticator.verified)
        return authenticator

    def tickets(self) -> Tickets:
        """The object that issues and redeems tickets for streams."""
        return Tickets(self.token_key, self.revocations, self.roles, self._clock)

    async def poll(self) -> None:
        """Poll for signing keys until cancelled."""
        log = logger("minitwitter.authentication")
        while True:
            await asyncio.sleep(POLL_S)
            try:
                await self.signing_keys.refresh()
                self.detail = ""
            except LogUnavailable as error:
                if not self.detail:
                    log.warning("PostgreSQL is unavailable", detail=str(error))
                self.detail = str(error)


def token_lifetime_ms(settings: DecisionSettings) -> int:
    """Return the lifetime of an access token."""
    return settings.access_token_minutes * 60_000
