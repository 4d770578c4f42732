"""Run a file of scenarios on both profiles: the embedded one, and the distributed one on the real engines."""

from __future__ import annotations

import os
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

import httpx
import pytest

from events.ids import Randomness
from tests.distributed_profile import DistributedProfile, Ground, opened
from tests.scenarios.service import ISSUER, StandingClock
from tests.unhurried import UNHURRIED

both_profiles = pytest.mark.parametrize(
    "profile", ["embedded", pytest.param("distributed", marks=[pytest.mark.engines, pytest.mark.slow])]
)
"""A mark for files whose tests use only HTTP."""


class DistributedService:
    """The distributed profile, with the part of `Service` that does not depend on the profile."""

    def __init__(self, profile: DistributedProfile) -> None:
        self.profile = profile

    def client(self) -> httpx.AsyncClient:
        return httpx.AsyncClient(
            transport=httpx.ASGITransport(app=self.profile.application),
            base_url="http://test/api/v1",
            headers={"user-agent": "tests/1", "x-forwarded-for": "203.0.113.7"},
            event_hooks={"request": [self._project]},
        )

    async def _project(self, request: httpx.Request) -> None:
        if "consistency-token" in request.headers:
            await self.project()

    async def project(self) -> None:
        """Make the read models apply the log."""
        await self.profile.project()

    async def events(self) -> list[Any]:
        """Return all events of the log, in the order of their ids."""
        return list(await self.profile.events())


@asynccontextmanager
async def on_engines(
    ground: Ground, directory: Path, clock: StandingClock, *, randomness: Randomness = os.urandom, **settings: Any
) -> AsyncIterator[DistributedService]:
    """Start the distributed profile with an empty community; it is closed at the end."""
    chosen = {"bcrypt_cost": 4, "issuer": ISSUER, "trusted_proxies": ("127.0.0.1",)} | settings
    chosen["rate_limits"] = UNHURRIED | settings.get("rate_limits", {})
    async with opened(ground, clock, randomness, data=directory, **chosen) as profile:
        yield DistributedService(profile)
