"""nginx: one address in front of the command and query processes, with infra/edge/nginx.conf.

The program is the machine's, or that of Debian's package, unpacked without installing it, because installing starts a
service.
"""

from __future__ import annotations

import re
import socket
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import ClassVar

from .engine import EngineError, EngineProcess, LocalEngine
from .packages import program, unpacked

CONFIGURATION = Path(__file__).parents[1] / "edge" / "nginx.conf"


class Nginx(LocalEngine):
    """One edge. `command` and `query` are the addresses of the processes behind it, as HOST:PORT."""

    name: ClassVar[str] = "nginx"
    version: ClassVar[str] = "1.22"
    ports: ClassVar[tuple[str, ...]] = ("http",)
    memory_mib: ClassVar[int] = 16

    def __init__(self, command: str, query: str) -> None:
        self.command = command
        self.query = query

    def install(self, cache: Path) -> None:
        """Find the machine's program, or download one. Raises EngineError."""
        executable(cache)

    def servers(self, cache: Path, directory: Path, ports: Sequence[Mapping[str, int]]) -> list[EngineProcess]:
        """Write the edge's configuration with the addresses of this machine. Raises EngineError."""
        planned = []
        for number, own in enumerate(ports):
            home = directory / f"nginx-{number}"
            home.mkdir(parents=True, exist_ok=True)
            file = home / "nginx.conf"
            file.write_text(configured(own["http"], self.command, self.query))
            argv = [str(executable(cache)), "-p", f"{home}/", "-c", str(file), "-e", "stderr", "-g", "daemon off;"]
            planned.append(EngineProcess(home.name, argv, home, _healthy(own["http"]), start_s=10))
        return planned

    def url(self, ports: Sequence[Mapping[str, int]]) -> str:
        """Return the address of the edge."""
        return f"http://127.0.0.1:{ports[0]['http']}"


def configured(port: int, command: str, query: str) -> str:
    """Return the text of infra/edge/nginx.conf with its three addresses replaced. Raises EngineError if it
    has others.
    """
    text = CONFIGURATION.read_text()
    for found, wanted, times in (
        (r"\blisten 8080;", f"listen 127.0.0.1:{port};", 1),
        (r"\bcommand:8000;", f"{command};", 1),
        (r"\bquery:8000;", f"{query};", 2),
    ):
        text, replaced = re.subn(found, wanted, text)
        if replaced != times:
            raise EngineError(f"{CONFIGURATION} has {found} {replaced} times, not {times}")
    return text


def executable(cache: Path) -> Path:
    """Return the path of the machine's program, or of a downloaded one. Raises EngineError."""
    found = program("nginx")
    return Path(found) if found else unpacked(cache, "nginx") / "usr" / "sbin" / "nginx"


def _healthy(port: int) -> Callable[[], bool]:
    def ready() -> bool:
        with socket.create_connection(("127.0.0.1", port), timeout=1) as connection:
            connection.sendall(b"GET /healthz HTTP/1.0\r\n\r\n")
            return connection.recv(15) == b"HTTP/1.1 200 OK"

    return ready
