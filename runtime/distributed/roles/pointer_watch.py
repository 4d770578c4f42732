"""A role that follows the pointers to read models: it is opened again in the same process after one has moved.

The new role is opened beside the old one and takes over its requests; then the old one is closed. So clients notice
nothing. Workers leave their groups and join again.
"""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Mapping, Sequence
from contextlib import AsyncExitStack, asynccontextmanager

from starlette.types import ASGIApp, Receive, Scope, Send

from runtime.distributed.roles.process import OpenRole, Role, opened
from runtime.distributed.settings import PostgresSettings
from runtime.readiness import Part
from runtime.telemetry import logger
from stores.postgres.pointers import Pointer, Pointers


class PointerWatch:
    """Runs the role that `open_role` opens. `seen` are the pointers as of its opening."""

    def __init__(
        self,
        name: str,
        open_role: OpenRole,
        pointers: Pointers,
        seen: Mapping[str, Pointer],
        role: Role,
        stack: AsyncExitStack,
    ) -> None:
        self._name = name
        self._open_role = open_role
        self._pointers = pointers
        self._seen = seen
        self._role = role
        self._application = role.application()
        self._stack = stack

    @classmethod
    @asynccontextmanager
    async def open(cls, settings: PostgresSettings, name: str, open_role: OpenRole) -> AsyncIterator[PointerWatch]:
        """Read the pointers, and open the role; close it at the end. Raises the errors of opening."""
        pointers = Pointers(settings.postgres)
        seen = await pointers.read()  # before the role reads them: it may see later pointers, never earlier ones
        async with AsyncExitStack() as stack:
            role = await stack.enter_async_context(open_role())
            watch = cls(name, open_role, pointers, seen, role, stack.pop_all())
            try:
                yield watch
            finally:
                await watch._stack.aclose()

    def application(self) -> ASGIApp:
        """The application of the current role."""
        return self._serve

    async def _serve(self, scope: Scope, receive: Receive, send: Send) -> None:
        await self._application(scope, receive, send)

    def parts(self) -> Sequence[Part]:
        """The parts of the current role."""
        return self._role.parts()

    async def run(self) -> None:
        """Work until cancelled, or until the role ends by itself."""
        while True:
            working = asyncio.create_task(self._role.run())
            moving = asyncio.create_task(self._pointers.moved_from(self._seen))
            try:
                await asyncio.wait((working, moving), return_when=asyncio.FIRST_COMPLETED)
                if working.done():
                    working.result()
                    return
                self._seen = moving.result()
                await self._open_anew(working)
            finally:
                for task in (working, moving):
                    task.cancel()
                await asyncio.gather(working, moving, return_exceptions=True)

    async def _open_anew(self, working: asyncio.Task[None]) -> None:
        logger("minitwitter.pointer_watch").info("read models have moved", role=self._name)
        async with AsyncExitStack() as stack:
            role = await opened(self._name, self._open_role, stack, lambda detail: None)
            self._application = role.application()
            self._role = role
            old, self._stack = self._stack, stack.pop_all()
        async with old:
            working.cancel()
            await asyncio.wait((working,))  # not `await working`: a cancellation of this task must be raised here
