"""Engines of one chaos run, each behind a proxy, so that they can be slow or unreachable as well as killed.

Kafka and Cassandra tell clients where they are. Brokers get a listener of their own for clients, advertised at the
proxy's port. A Cassandra node that is alone is known to the driver by the address it was first reached at.
"""

from __future__ import annotations

import asyncio
from collections.abc import Mapping, Sequence
from pathlib import Path
from urllib.parse import urlsplit

from infra.local.catalogue import engine as catalogued
from infra.local.engine import EngineError, EngineProcess, LocalEngine
from infra.local.kafka import Kafka
from infra.local.running import Note, Running, free_ports

from .proxy import Proxy

NAMES = ("kafka", "cassandra", "redis", "postgres")

_ATTEMPTS = 3

_CLIENTS = """
listeners=BROKER://127.0.0.1:{broker},CLIENTS://127.0.0.1:{clients},CONTROLLER://127.0.0.1:{controller}
advertised.listeners=BROKER://127.0.0.1:{broker},CLIENTS://127.0.0.1:{advertised}
listener.security.protocol.map=BROKER:PLAINTEXT,CLIENTS:PLAINTEXT,CONTROLLER:PLAINTEXT
"""
"""Of two lines with the same property the later one wins."""


class ProxiedKafka(Kafka):
    """Brokers that advertise other ports to clients, in the order of the brokers, and their own ports to each other."""

    ports = ("kafka", "controller", "clients")

    def __init__(self, advertised: Sequence[int]) -> None:
        self._advertised = advertised

    def servers(self, cache: Path, directory: Path, ports: Sequence[Mapping[str, int]]) -> list[EngineProcess]:
        """Return Kafka's servers with one more listener."""
        planned = super().servers(cache, directory, ports)
        for server, own, advertised in zip(planned, ports, self._advertised, strict=True):
            with (server.directory / "server.properties").open("a") as file:
                file.write(
                    _CLIENTS.format(
                        broker=own["kafka"],
                        clients=own["clients"],
                        controller=own["controller"],
                        advertised=advertised,
                    )
                )
        return planned

    def url(self, ports: Sequence[Mapping[str, int]]) -> str:
        """Return the bootstrap servers for clients."""
        return ",".join(f"127.0.0.1:{port}" for port in self._advertised)


class Engines:
    """The four engines of a run. Blocking calls run in threads, because the proxies share the event loop."""

    def __init__(self, running: Running, brokers: int) -> None:
        self._running = running
        self._brokers = brokers
        self._made: dict[str, LocalEngine] = {}
        self.proxies: dict[str, list[Proxy]] = {}
        self.urls: dict[str, str] = {}

    async def start(self) -> None:
        """Start all engines. Raises EngineError."""
        await asyncio.gather(*(self._first(name) for name in NAMES))

    async def _first(self, name: str) -> None:
        fronts = free_ports(self._brokers) if name == "kafka" else []
        engine = self._made[name] = ProxiedKafka(fronts) if fronts else catalogued(name)
        note = await self._up(name)
        behind = "clients" if name == "kafka" else engine.ports[0]
        fronts = fronts or free_ports(1)
        proxies = [Proxy(front, own[behind]) for front, own in zip(fronts, note.ports, strict=True)]
        for proxy in proxies:
            await proxy.start()
        self.proxies[name] = proxies
        if name == "kafka":
            self.urls[name] = note.url
        else:
            was = urlsplit(note.url)
            who = was.netloc.rpartition("@")[0]
            place = f"127.0.0.1:{fronts[0]}"
            self.urls[name] = was._replace(netloc=f"{who}@{place}" if who else place).geturl()

    async def _up(self, name: str) -> Note:
        servers = self._brokers if name == "kafka" else 1
        attempts = 0
        while True:
            try:
                return await asyncio.to_thread(self._running.up, self._made[name], servers=servers)
            except EngineError:  # beside many others it takes longer than it should
                attempts += 1
                if attempts == _ATTEMPTS:
                    raise

    async def kill(self, name: str, server: str | None = None) -> None:
        """Kill an engine, or one of its servers, with SIGKILL."""
        await asyncio.to_thread(self._running.kill, name, server)

    async def up(self, name: str) -> None:
        """Start the stopped servers of an engine with their data. Raises EngineError."""
        await self._up(name)

    async def close(self) -> None:
        """Cut all proxies. The owner of the directory stops the engines."""
        for proxy in (proxy for proxies in self.proxies.values() for proxy in proxies):
            await proxy.close()
