"""The process of any role of the distributed profile.

It answers /healthz, /readyz and /metrics from the start; it may start before its engines, and waits for them with
backoff; on SIGTERM it finishes acknowledged work, within the time in the settings. A cause that waiting does not remove
(missing topics, a wrong key, a dead agent) ends the process with the reason; its supervisor restarts it.
"""

from __future__ import annotations

import asyncio
import signal
from collections.abc import Callable, Sequence
from contextlib import AbstractAsyncContextManager, AsyncExitStack
from typing import Protocol

from starlette.types import ASGIApp

from events.calls import listen
from events.log import LogUnavailable
from events.retries import ENGINE, retrying
from runtime import metrics
from runtime.connections import Connections
from runtime.distributed.settings import LogSettings
from runtime.gc_tuning import freeze_startup_objects
from runtime.http_server import Front, Server, free_port
from runtime.readiness import Part
from runtime.telemetry import logger
from stores.sink import StoreUnavailable

UNAVAILABLE = (LogUnavailable, StoreUnavailable)
"""Errors of an engine that is unreachable now; waiting may help."""


class Role(Protocol):
    """The work of a process, with its engines connected."""

    def application(self) -> ASGIApp:
        """The HTTP application; for most roles only health and metrics."""
        ...

    def parts(self) -> Sequence[Part]:
        """The parts for /readyz."""
        ...

    async def run(self) -> None:
        """Work until cancelled. Ending, or raising, ends the process."""
        ...


OpenRole = Callable[[], AbstractAsyncContextManager[Role]]
"""Connects a role to its engines; at the end it finishes acknowledged work and closes all. Entering raises one of
UNAVAILABLE if an engine is unreachable, after closing what was open; any other error ends the process.
"""


class RoleEnded(Exception):
    """The role has ended by itself."""


async def opened(name: str, open_: OpenRole, stack: AsyncExitStack, tell: Callable[[str], None]) -> Role:
    """Open a role, which `stack` closes; retry until its engines answer.

    `tell` receives the reason of each wait, and "" at the end.
    """
    role = await retrying(
        lambda: stack.enter_async_context(open_()),
        ENGINE,
        UNAVAILABLE,
        what=name,
        failed=lambda error: tell(str(error)),
    )
    tell("")
    return role


class Process:
    """Runs a role until SIGINT or SIGTERM."""

    def __init__(self, settings: LogSettings, name: str, open_role: OpenRole, say: Callable[[str], None]) -> None:
        self._settings = settings
        self._name = name
        self._open_role = open_role
        self._say = say
        self._waiting_for = "its engines are being connected to"
        self._log = logger("minitwitter.process")

    async def run(self) -> None:
        """Open the role, let it work, close it. Raises AddressInUse, RoleEnded, and the role's errors."""
        from runtime.distributed.kafka_outages import told_in_few_lines

        async with told_in_few_lines(self._settings.brokers):
            await self._run()

    async def _run(self) -> None:
        settings = self._settings
        listen(metrics.count_call)
        port = free_port(settings.host, settings.port)
        stopped = asyncio.Event()
        loop = asyncio.get_running_loop()
        for number in (signal.SIGINT, signal.SIGTERM):
            loop.add_signal_handler(number, stopped.set)
        front = Front(lambda: Part.of(self._name, down=self._waiting_for))
        connections = Connections(port, settings.max_connections_of_address, settings.trusted_proxies)
        server = Server(front, settings.host, port, connections)
        server.start()
        stack = AsyncExitStack()
        stopping = asyncio.create_task(stopped.wait())
        working = asyncio.create_task(self._work(front, port, stack))
        ended = False
        try:
            await asyncio.wait((stopping, working, server.ended), return_when=asyncio.FIRST_COMPLETED)
            ended = working.done()
            if not ended:
                self._log.info("stopping", role=self._name)
        finally:
            stopping.cancel()
            await server.stop(settings.shutdown_s / 2)
            async with asyncio.timeout(settings.shutdown_s):
                working.cancel()
                await asyncio.wait((working,))
                await stack.aclose()
            self._log.info("stopped", role=self._name)
        if ended:
            working.result()
            raise RoleEnded(f"{self._name} ended by itself")
        if not working.cancelled() and (error := working.exception()) is not None:
            self._log.error("the role failed while it stopped", role=self._name, exc_info=error)

    async def _work(self, front: Front, port: int, stack: AsyncExitStack) -> None:
        role = await opened(self._name, self._open_role, stack, self._tell)
        front.application = role.application()
        freeze_startup_objects()
        url = f"http://{self._settings.host}:{port}"
        self._log.info("working", role=self._name, url=url)
        self._say(f"{self._name} works; {url}/readyz says how it is (Ctrl-C stops it)")
        await role.run()

    def _tell(self, detail: str) -> None:
        self._waiting_for = detail
