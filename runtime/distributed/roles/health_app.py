"""The application of a process without an API: health, readiness and metrics."""

from __future__ import annotations

import os
from collections.abc import Callable, Sequence

from starlette.types import ASGIApp

from events.consistency_token import ConsistencyToken
from events.ids import wall_clock
from rest.authentication import NotSignedIn, Viewer
from rest.exchange import Reads
from rest.rate_limits import LocalRateLimits
from rest.signing import ConsistencyTokens
from runtime.app import build_app
from runtime.readiness import Part
from runtime.settings import Settings


class NothingToApply:
    """The read positions of a process without read models."""

    async def wait_for(self, token: ConsistencyToken, timeout: float, reads: Reads) -> bool:
        """Return at once: this process has no read models."""
        return True

    def behind(self, reads: Reads) -> bool:
        """Never behind: this process has no read models."""
        return False


def _nobody(authorization: bytes) -> Viewer:
    raise NotSignedIn


def health_app(settings: Settings, parts: Callable[[], Sequence[Part]], *roles: str) -> ASGIApp:
    """Health, readiness, and the metrics of some roles."""
    limits = LocalRateLimits(wall_clock)
    return build_app(
        settings,
        roles=roles,
        parts=lambda: list(parts()),
        clock=wall_clock,
        randomness=os.urandom,
        authenticate=_nobody,
        shared_limits=limits,
        own_limits=limits,
        applied=NothingToApply(),
        tokens=ConsistencyTokens(b"nobody has any"),
    )
