"""`minitwitter work all`: several roles in one process, for a small host."""

from __future__ import annotations

import asyncio
from collections.abc import Sequence

from starlette.types import ASGIApp

from runtime import metrics
from runtime.distributed.roles.health_app import bare_application
from runtime.distributed.roles.process import Role
from runtime.readiness import Part
from runtime.settings import Settings


class Together:
    """Roles that serve no API, started one after the other. The first that ends takes the others with it."""

    name = "all"

    def __init__(self, settings: Settings, roles: Sequence[Role]) -> None:
        self._settings = settings
        self._roles = roles
        self._started: list[Role] = []

    async def start(self) -> None:
        """Start those that have not started yet. Raises what they raise."""
        for role in self._roles:
            if role not in self._started:
                await role.start()
                self._started.append(role)

    def application(self) -> ASGIApp:
        """Health and metrics of all."""
        return bare_application(self._settings, self.parts, *metrics.TOGETHER)

    def parts(self) -> Sequence[Part]:
        """The parts of all."""
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

    async def stop(self) -> None:
        """Stop all, whatever becomes of one."""
        results = await asyncio.gather(*(role.stop() for role in self._roles), return_exceptions=True)
        for result in results:
            if isinstance(result, BaseException):
                raise result
