"""Starts, watches and stops engines in a data directory. Their state is stored there, so that any process can read it.

Everything is idempotent: a running engine that answers is left alone, a dead one is started again with its data and
ports.
"""

from __future__ import annotations

import fcntl
import random
import shutil
import socket
import time
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager, suppress
from pathlib import Path

import msgspec

from .engine import EngineError, EngineMissing, EngineProcess, LocalEngine
from .processes import POLL_S, StartedProcess, kill, spawn, stop

_LAST_LINES = 12
_PORTS = range(12000, 32000)
"""Below the ports that Linux uses for outgoing connections (32768 and up): one of those may be taken at any time."""


class Note(msgspec.Struct, frozen=True):
    """The stored state of an engine: its ports (an entry for each server), its URL, its processes by server name."""

    engine: str
    version: str
    ports: list[dict[str, int]]
    url: str
    processes: dict[str, StartedProcess]


class Running:
    """The engines of one data directory."""

    def __init__(self, directory: Path, cache: Path) -> None:
        self.directory = directory.absolute()
        self.cache = cache

    def up(self, engine: LocalEngine, *, servers: int = 1, ports: Mapping[str, int] | None = None) -> Note:
        """Start an engine and wait until it answers. `ports` are preferred for its first server. Raises EngineError."""
        with self._locked(engine.name) as place:
            noted = self.note(engine.name)
            wished = _wished(engine, ports or {})
            if noted is not None:
                _check_same(noted, servers, wished, self.directory)
            engine.install(self.cache)
            chosen = noted.ports if noted else _choose(engine, servers, wished)
            planned = engine.servers(self.cache, place, chosen)
            processes = dict(noted.processes) if noted else {}
            missing = [s for s in planned if s.name not in processes or not processes[s.name].runs()]
            _check_free(engine, planned, missing, chosen)
            _check_memory(engine, len(missing))
            url = engine.url(chosen)
            for server in missing:
                processes[server.name] = spawn(server)
                self._write(place, Note(engine.name, engine.version, chosen, url, processes))
            for server in planned:
                _await(engine, server, processes[server.name])
            return Note(engine.name, engine.version, chosen, url, processes)

    def down(self, name: str, *, delete: bool = False) -> bool:
        """Stop an engine; return whether any of it ran. With `delete` its data is deleted, too."""
        if not (self.directory / name).exists():
            return False
        with self._locked(name) as place:
            noted = self.note(name)
            stopped = noted is not None and stop(noted.processes.values())
            if delete:
                shutil.rmtree(place)
            return stopped

    def kill(self, name: str, server: str | None = None) -> None:
        """Kill a server, or all, with kill -9. `up` starts it again."""
        noted = self.note(name)
        if noted is not None:
            kill(process for own, process in noted.processes.items() if server in (None, own))

    def status(self, engine: LocalEngine) -> dict[str, bool]:
        """Return for each server of an engine whether it runs and answers; empty if it was never started."""
        noted = self.note(engine.name)
        if noted is None:
            return {}
        planned = engine.servers(self.cache, self.directory / engine.name, noted.ports)
        return {s.name: s.name in noted.processes and noted.processes[s.name].runs() and _answers(s) for s in planned}

    def logs(self, name: str) -> list[Path]:
        """Return the log files of its servers."""
        return sorted((self.directory / name).glob("*/server.log"))

    def note(self, name: str) -> Note | None:
        """Return the stored state of an engine."""
        try:
            return msgspec.json.decode((self.directory / name / "engine.json").read_bytes(), type=Note)
        except FileNotFoundError:
            return None

    @contextmanager
    def _locked(self, name: str) -> Iterator[Path]:
        """Lock the directory of an engine; a second process waits."""
        self.directory.mkdir(parents=True, exist_ok=True)
        with (self.directory / f"{name}.lock").open("w") as lock:
            fcntl.flock(lock, fcntl.LOCK_EX)
            place = self.directory / name
            place.mkdir(exist_ok=True)
            yield place

    @staticmethod
    def _write(place: Path, note: Note) -> None:
        fresh = place / "engine.json.new"
        fresh.write_bytes(msgspec.json.encode(note))
        fresh.rename(place / "engine.json")


def _wished(engine: LocalEngine, ports: Mapping[str, int]) -> dict[str, int]:
    """Return the preferred ports that the engine has by name."""
    unknown = sorted(ports.keys() - set(engine.ports))
    if unknown:
        raise EngineError(f"{engine.name} has no port {unknown[0]!r}, but {', '.join(engine.ports)}")
    return dict(ports)


def _check_same(noted: Note, servers: int, wished: Mapping[str, int], directory: Path) -> None:
    """Check that an engine with data keeps its number of servers and its ports: they are in its files."""
    other = f"take that, or another --engines-dir, or delete its data: minitwitter engines down --delete {noted.engine}"
    if len(noted.ports) != servers:
        raise EngineError(f"{noted.engine} was made with {len(noted.ports)} servers in {directory}; {other}")
    for name, port in wished.items():
        if noted.ports[0][name] != port:
            raise EngineError(f"{noted.engine} was made with port {noted.ports[0][name]} in {directory}; {other}")


def _choose(engine: LocalEngine, servers: int, wished: Mapping[str, int]) -> list[dict[str, int]]:
    free = iter(free_ports(servers * len(engine.ports) + len(wished)))
    others = (port for port in free if port not in wished.values())
    return [
        {name: wished[name] if number == 0 and name in wished else next(others) for name in engine.ports}
        for number in range(servers)
    ]


def free_ports(count: int) -> list[int]:
    """Return free ports of 127.0.0.1, chosen at random, so that concurrent callers rarely choose the same."""
    found: list[int] = []
    for port in random.sample(_PORTS, len(_PORTS)):
        with socket.socket() as probe, suppress(OSError):
            probe.bind(("127.0.0.1", port))
            found.append(port)
        if len(found) == count:
            return found
    raise EngineError(f"fewer than {count} ports between {_PORTS.start} and {_PORTS.stop} are free")


def answers(port: int) -> bool:
    """Return whether a process listens on a port of 127.0.0.1."""
    try:
        with socket.create_connection(("127.0.0.1", port), timeout=1):
            return True
    except OSError:
        return False


def _check_free(
    engine: LocalEngine,
    planned: Sequence[EngineProcess],
    missing: Sequence[EngineProcess],
    ports: Sequence[Mapping[str, int]],
) -> None:
    for server, own in zip(planned, ports, strict=True):
        for name, port in own.items() if server in missing else ():
            if answers(port):
                raise EngineError(
                    f"port {port} ({engine.name}, {name}) is taken by something else; stop what listens there, or"
                    f" choose another for new data: minitwitter engines down --delete {engine.name}"
                )


def _check_memory(engine: LocalEngine, servers: int) -> None:
    lines = dict(line.split(":") for line in Path("/proc/meminfo").read_text().splitlines())
    free = int(lines["MemAvailable"].split()[0]) // 1024
    if free < engine.memory_mib * servers:
        raise EngineMissing(
            f"{engine.name} takes {engine.memory_mib * servers} MiB of memory, and {free} MiB are free; stop something"
            " else, or point the settings at a server elsewhere"
        )


def _answers(server: EngineProcess) -> bool:
    try:
        return server.ready()
    except Exception:  # each client raises its own errors while a server starts
        return False


def _await(engine: LocalEngine, server: EngineProcess, process: StartedProcess) -> None:
    deadline = time.monotonic() + server.start_s
    while not _answers(server):
        if not process.runs() or time.monotonic() > deadline:
            log = server.directory / "server.log"
            last = "\n".join(log.read_text(errors="replace").splitlines()[-_LAST_LINES:])
            what = f"does not answer after {server.start_s:.0f} s" if process.runs() else "ended while it started"
            raise EngineError(f"{engine.name} ({server.name}) {what}; the end of {log}:\n{last}")
        time.sleep(POLL_S)
