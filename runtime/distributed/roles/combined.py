"""`minitwitter work all`: several roles in one process, for a small host."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Sequence
from contextlib import AsyncExitStack, asynccontextmanager

from starlette.types import ASGIApp

from runtime import metrics
from runtime.distributed.roles.health_app import health_app
from runtime.distributed.roles.process import OpenRole, Role
from runtime.readiness import Part
from runtime.settings import Settings


class CombinedRole:
    """Roles without an API, opened one after the other. If one ends, all end."""

    def __init__(self, settings: Settings, roles: Sequence[Role]) -> None:
        self._settings = settings
        self._roles = roles

    @classmethod
    @asynccontextmanager
    async def open(cls, settings: Settings, roles: Sequence[OpenRole]) -> AsyncIterator[CombinedRole]:
        """Open all roles, and close them at the end. Raises their errors."""
        async with AsyncExitStack() as stack:
            yield cls(settings, [await stack.enter_async_context(role()) for role in roles])

    def application(self) -> ASGIApp:
        """Health and metrics of all roles."""
        return health_app(self._settings, self.parts, *metrics.TOGETHER)

    def parts(self) -> Sequence[Part]:
        """The parts of all roles."""
        return [part for role in self._roles for part in role.parts()]

    async def run(self) -> None:
        """Work until cancelled, or until one of them ends."""
        tasks = [asyncio.create_task(role.run()) for role in self._roles]
        try:
            await asyncio.wait(tasks, return_when=asyncio.FIRST_COMPLETED)
        finally:
            for task in tasks:
                task.cancel()
            await asyncio.gather(*tasks, return_exceptions=True)
        for task in tasks:
            if not task.cancelled():
                task.result()
