"""Builds the application of the embedded profile from a System."""

from __future__ import annotations

from starlette.types import ASGIApp

from events.sqlite.connection import UNAVAILABLE
from rest.authentication import Authenticator, Viewer
from rest.edge import Telemetry
from rest.jwks import jwks
from rest.problems import explains
from rest.rate_limits import LocalRateLimits
from rest.signing import ConsistencyTokens
from rest.tickets import Tickets
from runtime import metrics
from runtime.app import build_app
from runtime.command_side import command_side
from runtime.embedded.system import System
from runtime.query_side import QuerySide
from runtime.readiness import Parts
from runtime.routes import ROUTERS
from stores.groups import SERVING

# SQLite's errors about a full or missing disk: no fault of ours, neither for reads nor for writes.
explains("unavailable", *UNAVAILABLE, headers=(("retry-after", "1"),))


class Composition:
    """The application, and the parts to close with it."""

    def __init__(self, system: System, *, parts: Parts, telemetry: Telemetry) -> None:
        self.system = system
        settings, clock = system.settings, system.clock
        tokens = ConsistencyTokens(system.token_key)
        self.limits = LocalRateLimits(clock)
        self.limits.on_refused = lambda name: metrics.RATE_LIMITED.labels(name).inc()
        lifetime_ms = system.token_lifetime_ms
        self.authenticator = Authenticator(
            system.signing_keys,
            system.revocations,
            system.roles,
            clock,
            issuer=settings.issuer,
            lifetime_ms=lifetime_ms,
        )
        authenticator = self.authenticator
        metrics.CACHES["access tokens"] = lambda: (authenticator.asked, authenticator.verified)
        tickets = Tickets(system.token_key, system.revocations, system.roles, clock)
        command = command_side(
            settings,
            store=system.commands,
            ids=system.ids,
            clock=clock,
            randomness=system.randomness,
            tokens=tokens,
            limits=self.limits,
            passwords=system.passwords,
            signing_keys=system.signing_keys,
            roles=system.roles,
            token_lifetime_ms=lifetime_ms,
            tickets=tickets,
            uploads=system.media.uploads,
            token_key=system.token_key,
        )
        self.commands = command.commands
        self.query_side = QuerySide(
            settings,
            readers=lambda: system.readers,
            logs=(system.log, system.derived_log),
            applied=lambda: system.applied.positions[SERVING],
            token_key=system.token_key,
            tickets=tickets,
            revocations=system.revocations,
            clock=clock,
            link=system.media.objects.link,
        )
        system.applied.on_advance.append(lambda group, positions: self.query_side.advanced())
        self.application: ASGIApp = build_app(
            settings,
            *ROUTERS,
            jwks(system.signing_keys.jwks),
            *system.media.file_routers,
            roles=(metrics.SERVE,),
            parts=parts,
            clock=clock,
            randomness=system.randomness,
            authenticate=self._authenticate,
            shared_limits=self.limits,
            own_limits=self.limits,
            applied=system.applied,
            tokens=tokens,
            command=command,
            query=self.query_side,
            longer=system.media.longer,
            telemetry=telemetry,
        )

    def _authenticate(self, authorization: bytes) -> Viewer:
        viewer = self.authenticator.authenticate(authorization)
        self.system.usage.active(viewer.account)
        return viewer

    def close(self) -> None:
        """Close the open streams."""
        self.query_side.close()
