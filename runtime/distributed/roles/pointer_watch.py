"""A role that goes where the pointers to read models go: made anew in the same process when one has moved.

The new one is started beside the old one and takes over its requests; the old one is stopped then. So nobody who asks
notices; workers leave their groups and join again.
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Mapping, Sequence

from starlette.types import ASGIApp, Receive, Scope, Send

from runtime.distributed.roles.process import Role, patiently, required
from runtime.readiness import Part
from runtime.settings import Settings
from runtime.telemetry import logger
from stores.postgres.pointers import Pointer, Pointers


class Following:
    """The role that `make` makes, as the pointers are."""

    def __init__(self, settings: Settings, make: Callable[[Settings], Role]) -> None:
        self._settings = settings
        self._make = make
        self._role = make(settings)  # which says all that is missing in the settings
        required(settings, "postgres_url")
        assert settings.postgres_url is not None
        self.name = self._role.name
        self._pointers = Pointers(settings.postgres_url.get_secret_value())
        self._seen: Mapping[str, Pointer] = {}
        self._application: ASGIApp | None = None

    async def start(self) -> None:
        """Look, and start. Raises what that raises."""
        self._seen = await self._pointers.read()  # before the role does: it may see a later one, never an earlier one
        await self._role.start()

    def application(self) -> ASGIApp:
        """What the role serves now."""
        self._application = self._role.application()
        return self._serve

    async def _serve(self, scope: Scope, receive: Receive, send: Send) -> None:
        assert self._application is not None
        await self._application(scope, receive, send)

    def parts(self) -> Sequence[Part]:
        """The role's."""
        return self._role.parts()

    async def run(self) -> None:
        """Work until cancelled, or until the role ends by itself."""
        while True:
            working = asyncio.create_task(self._role.run())
            looking = asyncio.create_task(self._pointers.moved_from(self._seen))
            try:
                await asyncio.wait((working, looking), return_when=asyncio.FIRST_COMPLETED)
                if working.done():
                    working.result()
                    return
                self._seen = looking.result()
                await self._make_anew(working)
            finally:
                for task in (working, looking):
                    task.cancel()
                await asyncio.gather(working, looking, return_exceptions=True)

    async def _make_anew(self, working: asyncio.Task[None]) -> None:
        logger("minitwitter.following").info("read models have moved", role=self.name)
        new = self._make(self._settings)
        try:
            await patiently(self.name, new.start, lambda detail: None)
            self._application = new.application()
        except BaseException:
            await new.stop()
            raise
        old, self._role = self._role, new
        working.cancel()
        await asyncio.wait((working,))  # not `await working`: who is cancelled meanwhile has to hear of it
        await old.stop()

    async def stop(self) -> None:
        """Stop the role."""
        await self._role.stop()
