"""The application of a process that serves neither API: how it is, and what it counts."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from importlib.metadata import version

from starlette.types import ASGIApp

from events.consistency_token import ConsistencyToken
from events.ids import HybridClock, wall_clock
from rest.authentication import NotSignedIn, Viewer
from rest.exchange import Reads
from rest.rate_limits import LocalRateLimits
from rest.signing import ConsistencyTokens
from runtime import metrics
from runtime.app import Parameters, build_app
from runtime.client_limits import admission, bodies
from runtime.readiness import Part
from runtime.settings import Settings
from runtime.telemetry import RequestTelemetry


class NothingToApply:
    """How far the read models of a process without any have come."""

    async def wait_for(self, token: ConsistencyToken, timeout: float, reads: Reads) -> bool:
        """Nothing to wait for: this process has no read models."""
        return True

    def behind(self, reads: Reads) -> bool:
        """Never behind: this process has no read models."""
        return False


def _nobody(authorization: bytes) -> Viewer:
    raise NotSignedIn


def bare_application(settings: Settings, parts: Callable[[], Sequence[Part]], *roles: str) -> ASGIApp:
    """Health, readiness, and the metrics of some roles."""
    limits = LocalRateLimits(wall_clock)
    return build_app(
        Parameters(
            version=version("minitwitter"),
            command=None,
            query=None,
            routers=(),
            admission=admission(settings, shared=limits, own=limits),
            bodies=bodies(settings, {}),
            authenticate=_nobody,
            new_id=HybridClock().issue,
            applied=NothingToApply(),
            tokens=ConsistencyTokens(b"nobody has any"),
            telemetry=RequestTelemetry(),
            registry=metrics.registry(*roles),
            parts=lambda: list(parts()),
            cors_origins=(),
            trusted_proxies=settings.trusted_proxies,
            wait_s=0.0,
        )
    )
