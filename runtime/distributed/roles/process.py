"""What every process of the distributed profile has, whatever its role.

It answers /healthz, /readyz and /metrics from the first moment; it starts in any order with its engines, and waits for
them with backoff; on SIGTERM it finishes what it acknowledged, within the time that the settings give. What waiting
does not mend (topics that are missing, a wrong key, an agent that died) ends it with the reason: whoever supervises it
starts it again.
"""

from __future__ import annotations

import asyncio
import contextlib
import re
import signal
from collections.abc import Awaitable, Callable, Sequence
from typing import Protocol

from psycopg import ProgrammingError
from psycopg.conninfo import conninfo_to_dict
from pydantic import SecretStr
from redis.asyncio.connection import parse_url
from starlette.types import ASGIApp

from events.calls import listen
from events.log import LogUnavailable
from events.retries import ENGINE, retrying
from runtime import metrics
from runtime.connections import Connections
from runtime.gc_tuning import freeze_startup_objects
from runtime.http_server import Front, Server, free_port
from runtime.readiness import Part
from runtime.settings import BadSettings, Settings
from runtime.telemetry import logger
from stores.cassandra.address import Address
from stores.postgres import roles
from stores.sink import StoreUnavailable

AWAY = (LogUnavailable, StoreUnavailable)
"""An engine cannot be reached now; waiting may mend it."""


class Role(Protocol):
    """What a process is for."""

    name: str

    async def start(self) -> None:
        """Open what it needs. Raises one of AWAY, and is called again; anything else ends the process."""
        ...

    def application(self) -> ASGIApp:
        """What it serves over HTTP once it has started; for most no more than how they are."""
        ...

    def parts(self) -> Sequence[Part]:
        """What /readyz tells of, before and after it has started."""
        ...

    async def run(self) -> None:
        """Work until cancelled. Ending, or raising, ends the process."""
        ...

    async def stop(self) -> None:
        """Finish what was acknowledged and close everything, also after a start that came to nothing."""
        ...


def _are_brokers(url: str) -> bool:
    return all(
        (found := _BROKER.fullmatch(broker)) is not None and 0 < int(found["port"]) <= _LAST_PORT
        for broker in brokers(url).split(",")
    )


def _is_conninfo(url: str) -> bool:
    try:
        return bool(conninfo_to_dict(url))
    except ProgrammingError:
        return False


def _parses(parse: Callable[[str], object]) -> Callable[[str], bool]:
    def parses(url: str) -> bool:
        try:
            parse(url)
        except ValueError:
            return False
        return True

    return parses


_BROKER = re.compile(r"(?:[\w.-]+|\[[0-9a-fA-F:]+\]):(?P<port>\d{1,5})")
_LAST_PORT = 65535
_ADDRESSES: dict[str, tuple[Callable[[str], bool], str]] = {
    "kafka_url": (_are_brokers, "HOST:PORT,HOST:PORT"),
    "postgres_url": (_is_conninfo, "postgresql://USER:PASSWORD@HOST:PORT/DATABASE"),
    "cassandra_url": (_parses(Address.parse), "cassandra://HOST:PORT,HOST:PORT/KEYSPACE?datacenter=NAME"),
    "redis_url": (_parses(parse_url), "redis://HOST:PORT/0"),
}
"""How an address of each engine is told (by its driver's own parser where there is one), and what one looks like."""


class RoleEnded(Exception):
    """What a process is for has come to an end by itself."""


def required(settings: Settings, *names: str) -> None:
    """Refuse settings in which one of these is missing, or is no address. Raises BadSettings."""
    missing = [name for name in names if getattr(settings, name) is None]
    if missing:
        variables = ", ".join(f"MINITWITTER_{name.upper()}" for name in missing)
        raise BadSettings(
            f"{', '.join(missing)}: not set, and this process cannot do without; set {variables}"
            " (`minitwitter engines up` prints them for engines on this machine)"
        )
    for name in names:
        given = getattr(settings, name)
        is_address, like = _ADDRESSES[name]
        if not is_address(given if isinstance(given, str) else given.get_secret_value()):
            raise BadSettings(f"{name}: it looks like {like}; what is set is not repeated, for it may have a password")


def named(settings: Settings, role: str) -> Settings:
    """The settings for a process of a role: PostgreSQL is told the role, which is how `minitwitter status` sees it."""
    url = settings.postgres_url
    if url is None or not _is_conninfo(url.get_secret_value()):
        return settings  # which the role refuses
    return settings.model_copy(update={"postgres_url": SecretStr(roles.named(url.get_secret_value(), role))})


def brokers(url: str) -> str:
    """HOST:PORT,HOST:PORT, however the setting writes it."""
    return url.removeprefix("kafka://").rstrip("/")


async def patiently(what: str, attempt: Callable[[], Awaitable[None]], tell: Callable[[str], None]) -> None:
    """Attempt something until its engines are there; `tell` hears what is being waited for, and "" in the end."""
    await retrying(attempt, ENGINE, AWAY, what=what, failed=lambda error: tell(str(error)))
    tell("")


class Process:
    """Runs a role until SIGINT or SIGTERM."""

    def __init__(self, settings: Settings, role: Role, say: Callable[[str], None]) -> None:
        self._settings = settings
        self._role = role
        self._say = say
        self._waiting_for = "its engines are being connected to"
        self._log = logger("minitwitter.process")

    async def run(self) -> None:
        """Start, work, stop. Raises AddressInUse, RoleEnded, and what the role raises."""
        from runtime.distributed.kafka_outages import told_in_few_lines

        url = self._settings.kafka_url
        async with told_in_few_lines(brokers(url)) if url is not None else contextlib.nullcontext():
            await self._run()

    async def _run(self) -> None:
        settings, role = self._settings, self._role
        listen(metrics.count_call)
        port = free_port(settings.host, settings.port)
        stopped = asyncio.Event()
        loop = asyncio.get_running_loop()
        for number in (signal.SIGINT, signal.SIGTERM):
            loop.add_signal_handler(number, stopped.set)
        front = Front(lambda: Part.of(role.name, down=self._waiting_for))
        connections = Connections(port, settings.max_connections_of_address, settings.trusted_proxies)
        server = Server(front, settings.host, port, connections)
        server.start()
        stopping = asyncio.create_task(stopped.wait())
        working = asyncio.create_task(self._work(front, port))
        try:
            await asyncio.wait((stopping, working, server.ended), return_when=asyncio.FIRST_COMPLETED)
            if working.done():
                await working
                raise RoleEnded(f"{role.name} ended by itself")
            self._log.info("stopping", role=role.name)
        finally:
            stopping.cancel()
            await server.stop(settings.shutdown_s / 2)
            working.cancel()
            with contextlib.suppress(asyncio.CancelledError, Exception):
                await working
            async with asyncio.timeout(settings.shutdown_s):
                await role.stop()
            self._log.info("stopped", role=role.name)

    async def _work(self, front: Front, port: int) -> None:
        role = self._role
        await patiently(role.name, role.start, self._tell)
        front.application = role.application()
        freeze_startup_objects()
        url = f"http://{self._settings.host}:{port}"
        self._log.info("working", role=role.name, url=url)
        self._say(f"{role.name} works; {url}/readyz says how it is (Ctrl-C stops it)")
        await role.run()

    def _tell(self, detail: str) -> None:
        self._waiting_for = detail
